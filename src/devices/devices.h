// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

// What a node has. Absent means absent; what could not be read is `unknown` with an alarm, never
// zero.
namespace penstock::devices {

enum class DeviceHealth { ok, degraded, failed, unknown };
std::string_view name(DeviceHealth health);

struct Device {
    std::int64_t index = 0;  // of the vendor's tool
    std::string vendor;      // "NVIDIA", "Ascend", "AMD"
    std::string model;       // as tasks ask for it: "H100", "Ascend910B2", "MI210"
    std::string full_name;   // as the vendor prints it: "NVIDIA H100 80GB HBM3"
    std::string uuid;
    std::string parent_uuid;  // of the whole device, for a part of one (MIG)
    std::string pci_address;
    std::optional<std::int64_t> memory_bytes;
    std::optional<std::int64_t> memory_used_bytes;
    std::optional<int> utilisation_percent;
    std::optional<int> temperature_celsius;
    std::optional<std::int64_t> power_milliwatts;
    std::optional<std::int64_t> energy_millijoules;  // cumulative since the driver was loaded
    std::optional<int> numa_node;
    // Devices of a host with the same number reach each other over links of their own (NVLink,
    // HCCS, XGMI); absent: none is known.
    std::optional<int> link_domain;
    DeviceHealth health = DeviceHealth::unknown;
    std::string health_reason;
    std::string driver_version;
    std::vector<std::string> nodes;  // device files a task needs: "/dev/nvidia0"
    std::string source;              // "nvml", "npu-smi", "rocm-smi", "development setting" …
    bool simulated = false;          // made up by a development setting; never sold
    bool operator==(const Device&) const = default;
};

struct NumaNode {
    int index = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t cpus = 0;  // 0: memory without CPUs, as CXL memory shows
    bool operator==(const NumaNode&) const = default;
};

struct Processors {
    std::string model;
    std::int64_t packages = 0;
    std::int64_t cores = 0;
    std::int64_t cpus = 0;       // hardware threads that this process may run on
    std::int64_t cpu_milli = 0;  // thousandths of them, within ProbeOptions::cpu_milli_max
    std::vector<NumaNode> numa_nodes;
    bool operator==(const Processors&) const = default;
};

struct Alarm {
    std::string source;
    std::string text;
    bool operator==(const Alarm&) const = default;
};

struct Inventory {
    Processors processors;
    std::int64_t memory_bytes = 0;  // within ProbeOptions::memory_bytes_max
    std::vector<Device>
        devices;  // what a failed vendor has stands here as one device of unknown health
    std::vector<Alarm> alarms;
};

struct PretendDevice {
    std::string model;
    std::int64_t count = 1;
    std::int64_t memory_bytes = 0;
    std::int64_t per_link_domain = 0;  // so many in a row are linked; 0: none is
};

struct ProbeOptions {
    std::string nvml = "libnvidia-ml.so.1";  // library name or path; empty: do not look
    std::string dcmi = "libdcmi.so";
    std::vector<std::string> rocm_smi_libraries = {
        "librocm_smi64.so", "librocm_smi64.so.7", "librocm_smi64.so.6", "librocm_smi64.so.5"
    };
    std::string npu_smi = "npu-smi";    // program name or path; empty: do not look
    std::string rocm_smi = "rocm-smi";  // program name or path; empty: do not look
    Duration tool_time_max = 10s;       // a tool that takes longer is killed, and that is an alarm
    std::string root = "";              // in front of /proc, /sys and /dev, for tests
    std::string synthetic_topology;  // hwloc's form: "node:2 pack:1 core:8 pu:1"; empty: this host
    std::int64_t cpu_milli_max = 0;  // what the cgroup of this process allows; 0: no limit
    std::int64_t memory_bytes_max = 0;
    // A development setting, empty in production: devices that do not exist.
    std::vector<PretendDevice> pretend;
};

// Looks at the host once. Blocks for up to a few seconds: call it from a thread pool. A vendor's
// library or tool that fails costs its devices and leaves an alarm; the rest is reported.
Inventory probe(const ProbeOptions& options);

}  // namespace penstock::devices
