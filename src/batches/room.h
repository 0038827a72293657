// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

namespace penstock::batches {

// Lines that run at an endpoint at one time, when nothing else does.
constexpr std::int64_t kLinesPerEndpoint = 8;
// Each interactive call in flight there takes the room of so many lines: at four calls none begins.
constexpr std::int64_t kLinesPerCall = 2;

// What one gateway sees of an endpoint.
struct EndpointUse {
    std::int64_t calls = 0;  // interactive ones in flight
    std::int64_t lines = 0;  // of batches in flight
    std::int64_t held = 0;   // calls that wait for a replica of the model
};
// How many more lines may begin. Lines that run are not cut short: an interactive call finds at
// most kLinesPerEndpoint of them.
constexpr std::int64_t room_for_lines(const EndpointUse& use) {
    if (use.held > 0) return 0;
    return std::max<std::int64_t>(0, kLinesPerEndpoint - kLinesPerCall * use.calls - use.lines);
}

}  // namespace penstock::batches
