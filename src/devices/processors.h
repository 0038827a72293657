// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "devices/devices.h"

namespace penstock::devices {

// By hwloc. `synthetic` as in ProbeOptions; memory of a synthetic host is its NUMA nodes'.
struct HostTopology {
    Processors processors;
    std::int64_t memory_bytes = 0;
};
Result<HostTopology> read_topology(const std::string& synthetic, const std::string& root);

// "model name" of /proc/cpuinfo; empty where the architecture prints none.
std::string parse_cpu_model(std::string_view cpuinfo);

}  // namespace penstock::devices
