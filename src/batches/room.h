// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace penstock::batches {

// Lines that run at an endpoint at one time, when nothing else does.
constexpr std::int64_t kLinesPerEndpoint = 8;
// Each interactive call in flight there takes the room of so many lines: at four calls none begins.
constexpr std::int64_t kLinesPerCall = 2;
// Of an engine that tells how full its memory for contexts is: from here on none begins.
constexpr double kCacheFull = 0.9;

// An endpoint as all gateways together see it.
struct EndpointLoad {
    std::int64_t calls = 0;                            // interactive ones in flight
    std::int64_t lines = 0;                            // of batches, that were given to gateways
    std::int64_t held = 0;                             // calls that wait for a replica of the model
    std::optional<double> cache_used_share;            // as its engine tells
    std::optional<std::int64_t> engine_calls_waiting;  // likewise: accepted, not begun
};
enum class NoRoom : std::uint8_t {
    none,  // there is room
    lines,
    calls,
    held,
    engine_queue,
    engine_cache
};
struct Room {
    std::int64_t lines = 0;         // that may begin
    NoRoom because = NoRoom::none;  // there is none
    bool operator==(const Room&) const = default;
};

// Lines that run are not cut short: an interactive call finds at most kLinesPerEndpoint of them,
// through however many gateways.
constexpr Room room_for_lines(const EndpointLoad& load) {
    if (load.held > 0) return {0, NoRoom::held};
    if (load.engine_calls_waiting.value_or(0) > 0) return {0, NoRoom::engine_queue};
    if (load.cache_used_share.value_or(0) >= kCacheFull) return {0, NoRoom::engine_cache};
    const std::int64_t beside = kLinesPerEndpoint - kLinesPerCall * load.calls;
    if (beside <= 0) return {0, NoRoom::calls};
    if (beside <= load.lines)
        return {0, load.lines < kLinesPerEndpoint ? NoRoom::calls : NoRoom::lines};
    return {beside - load.lines, NoRoom::none};
}

}  // namespace penstock::batches
