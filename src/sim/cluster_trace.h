// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "placement/cluster.h"
#include "sim/csv.h"

namespace penstock::sim {

// Device models by the order in which they were first seen; a node without devices has model 0.
class ModelNames {
  public:
    // The index of a model; resource_exhausted beyond kDeviceModelsMax.
    Result<std::uint8_t> intern(const std::string& name);
    const std::vector<std::string>& names() const { return names_; }
    int count() const { return static_cast<int>(names_.size()); }

  private:
    std::vector<std::string> names_ = {""};  // index 0: no device
};

struct ClusterTrace {
    std::vector<placement::NodeSpec> nodes;  // in file order
    ModelNames models;
    bool memory_known = true;
    bool topology_known = false;  // racks and sites are in the list

    std::int64_t devices() const;
};

// A node list. Columns sn, cpu_milli, memory_mib, gpu, model (model empty where gpu is 0); or
// node_name, cpu_num, gpu_capacity_num, gpu_model, whose memory is not known and not checked.
// Optional columns: devices_per_domain, rack, site (whole numbers).
Result<ClusterTrace> read_cluster(const Csv& csv);

struct TracedTask {
    std::string name;
    placement::Request request;
};

// A task list: name, cpu_milli, memory_mib, num_gpu, gpu_milli, and optionally gpu_spec (models
// joined by '|'; empty: any). CPU of 0 counts as kLeastCpuMilli. Models no node has are interned
// too, so that such a task is refused as "no access". In file order.
Result<std::vector<TracedTask>> read_tasks(const Csv& csv, ModelNames& models);
constexpr std::int32_t kLeastCpuMilli = 100;

}  // namespace penstock::sim
