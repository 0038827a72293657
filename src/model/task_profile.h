// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What is known of how a task runs before it does (任务画像), from its spec and from earlier runs
// of the same work. What is not known is absent.
namespace penstock {

// On one kind of device.
struct DeviceProfile {
    static constexpr bool kJsonDefaults = true;
    std::string accelerator;           // "H100:8"; empty: processors alone
    std::optional<double> run_time_s;  // expected, of one item
    // Of the next runs 80 % take from low to high. Without enough runs for that: from 0 to the time
    // limit, or no high.
    double run_time_low_s = 0;
    std::optional<double> run_time_high_s;
    std::int64_t runs = 0;  // it is known from
    std::string basis;      // "history of 12 runs, p50 40s, p90 1m5s", "time_limit", "unknown"
    std::optional<std::int64_t> memory_peak_mib;  // the highest so far
    std::optional<double> cpu_percent;            // used of the CPUs asked for; the median run
    std::optional<double> watts;                  // of its devices under load, by their makers
    bool operator==(const DeviceProfile&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    DeviceProfile, (),
    (accelerator, run_time_s, run_time_low_s, run_time_high_s, runs, basis, memory_peak_mib,
     cpu_percent, watts)
)

enum class LatencySensitivity {
    each_call,  // a service: its users wait for every answer
    result,     // an instance to work in
    none,       // batch work: nobody waits for single bytes
};
BOOST_DESCRIBE_ENUM(LatencySensitivity, each_call, result, none)

enum class Communication {
    none,     // items and nodes do not talk to each other
    devices,  // several accelerators of one node
    nodes,    // a gang: over the network in every step
};
BOOST_DESCRIBE_ENUM(Communication, none, devices, nodes)

struct TaskProfile {
    static constexpr bool kJsonDefaults = true;
    std::vector<DeviceProfile> devices;  // an entry for each accelerator it may use
    std::int64_t items = 1;
    std::int64_t nodes = 1;                    // an item
    std::int64_t staging_bytes = 0;            // to be moved to the node before it starts
    std::optional<std::int64_t> result_bytes;  // of the median run; absent: no run known
    LatencySensitivity latency = LatencySensitivity::none;
    Communication communication = Communication::none;
    bool operator==(const TaskProfile&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    TaskProfile, (), (devices, items, nodes, staging_bytes, result_bytes, latency, communication)
)

}  // namespace penstock
