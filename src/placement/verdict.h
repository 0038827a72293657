// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "placement/cluster.h"

namespace penstock::placement {

// How a request stands to a node: the classes of fragmentation analysis, and three of ours (QM, QD,
// CL).
enum class Verdict : std::uint8_t {
    fits,            // Q3
    lacks_both,      // Q1: neither CPU nor devices suffice
    lacks_devices,   // Q2: CPU suffices, devices do not
    lacks_cpu,       // Q4: devices suffice, CPU does not
    fits_cpu_only,   // XL: asks no device and fits
    lacks_cpu_only,  // XR: asks no device, CPU does not suffice
    no_access,       // NA: the node's device model is not among those allowed
    lacks_memory,    // QM: all but memory suffices
    no_domain,       // QD: devices suffice, but not within one domain
    closed,          // CL: the node takes nothing new
};
constexpr std::size_t kVerdicts = 10;
constexpr bool is_fit(Verdict verdict) {
    return verdict == Verdict::fits || verdict == Verdict::fits_cpu_only;
}
std::string_view code(Verdict verdict);  // "Q1"

inline bool may_use(const Node& node, const Request& request) {
    return ((request.models >> node.model) & 1U) != 0;
}
Verdict judge(const Node& node, const Request& request);

// Nodes by verdict: the answer to "why not placed".
using VerdictCounts = std::array<std::uint32_t, kVerdicts>;

}  // namespace penstock::placement
