// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace penstock {

enum class Health { ok, degraded, failed, unknown };
BOOST_DESCRIBE_ENUM(Health, ok, degraded, failed, unknown)

// An accelerator found on a node. CPU and memory stand in Capacity.
struct Device {
    static constexpr bool kJsonDefaults = true;
    std::int64_t index = 0;
    std::string vendor;
    std::string model;  // the name tasks ask for: "H100"
    std::string uuid;
    std::int64_t memory_mib = 0;
    std::optional<std::int64_t> numa_node;  // of the host; absent: not known
    // Devices of the node with the same number reach each other over links of their own (NVLink,
    // HCCS, XGMI); absent: none is known.
    std::optional<std::int64_t> link_domain;
    std::map<std::string, double> peak_tflops;  // by precision, of the maker; empty: not known
    std::optional<std::int64_t> board_watts;    // the most it may draw, of the maker
    Health health = Health::unknown;
    std::string driver_version;
    bool simulated = false;  // declared by a development setting; never sold beside real ones
    bool operator==(const Device&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Device, (),
    (index, vendor, model, uuid, memory_mib, numa_node, link_domain, peak_tflops, board_watts,
     health, driver_version, simulated)
)

}  // namespace penstock
