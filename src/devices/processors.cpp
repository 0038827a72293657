// SPDX-License-Identifier: Apache-2.0
#include "devices/processors.h"

#include <hwloc.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "devices/load.h"

namespace penstock::devices {
namespace {

class Topology {
  public:
    Topology() { ::hwloc_topology_init(&topology_); }
    Topology(const Topology&) = delete;
    Topology& operator=(const Topology&) = delete;
    ~Topology() { ::hwloc_topology_destroy(topology_); }
    hwloc_topology_t get() const { return topology_; }
    std::int64_t count(hwloc_obj_type_t type) const {
        return std::max(::hwloc_get_nbobjs_by_type(topology_, type), 0);
    }

  private:
    hwloc_topology_t topology_ = nullptr;
};

std::string file_text(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string model_of(const Topology& topology, const std::string& root) {
    if (const hwloc_obj_t package = ::hwloc_get_obj_by_type(topology.get(), HWLOC_OBJ_PACKAGE, 0))
        if (const char* name = ::hwloc_obj_get_info_by_name(package, "CPUModel")) return name;
    return parse_cpu_model(file_text(root + "/proc/cpuinfo"));
}

}  // namespace

std::string parse_cpu_model(std::string_view cpuinfo) {
    const std::string_view key = "model name";
    const std::size_t at = cpuinfo.find(key);
    if (at == std::string_view::npos) return "";
    std::string_view line = cpuinfo.substr(at, cpuinfo.substr(at).find('\n'));
    const std::size_t colon = line.find(": ");
    return colon == std::string_view::npos ? "" : std::string(line.substr(colon + 2));
}

Result<HostTopology> read_topology(const std::string& synthetic, const std::string& root) {
    const Topology topology;
    if (!synthetic.empty() &&
        ::hwloc_topology_set_synthetic(topology.get(), synthetic.c_str()) != 0)
        return fail(
            ErrorCode::invalid_argument,
            "'" + synthetic + "' is not a topology as hwloc writes them"
        );
    if (::hwloc_topology_load(topology.get()) != 0)
        return fail(ErrorCode::unavailable, "hwloc cannot read this host's topology");
    HostTopology host;
    Processors& processors = host.processors;
    processors.model = model_of(topology, root);
    processors.packages = topology.count(HWLOC_OBJ_PACKAGE);
    processors.cores = topology.count(HWLOC_OBJ_CORE);
    // Without being told otherwise, hwloc leaves out what cpusets do not allow.
    processors.cpus = topology.count(HWLOC_OBJ_PU);
    processors.cpu_milli = processors.cpus * 1000;
    for (std::int64_t i = 0; i < topology.count(HWLOC_OBJ_NUMANODE); ++i) {
        const hwloc_obj_t node =
            ::hwloc_get_obj_by_type(topology.get(), HWLOC_OBJ_NUMANODE, static_cast<unsigned>(i));
        processors.numa_nodes.push_back(
            {.index = static_cast<int>(node->os_index),
             .memory_bytes = static_cast<std::int64_t>(node->attr->numanode.local_memory),
             .cpus = std::max(::hwloc_bitmap_weight(node->cpuset), 0)}
        );
        host.memory_bytes += processors.numa_nodes.back().memory_bytes;
    }
    if (!synthetic.empty()) return host;
    const Result<MemoryUse> memory = parse_meminfo(file_text(root + "/proc/meminfo"));
    if (memory) host.memory_bytes = memory->total_bytes;
    return host;
}

}  // namespace penstock::devices
