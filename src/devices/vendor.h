// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "devices/devices.h"

// One vendor's devices, by its library or its tool. A source that is not installed is `absent`.
namespace penstock::devices {

struct VendorDevices {
    bool absent = false;
    std::vector<Device> devices;
    std::vector<Alarm> alarms;
};

VendorDevices probe_nvml(const std::string& library, const std::string& root);
VendorDevices probe_dcmi(const std::string& library, const std::string& root);
VendorDevices probe_rocm_smi_library(
    const std::vector<std::string>& libraries, const std::string& root
);

// The table of `npu-smi info`.
Result<std::vector<Device>> parse_npu_smi(std::string_view text);
// The matrix of `npu-smi info -t topo`: which devices are linked by HCCS, in the order of its rows.
// invalid_argument: it is not such a matrix.
Result<std::vector<std::vector<bool>>> parse_npu_topology(std::string_view text);
VendorDevices probe_npu_smi(const std::string& program, Duration time_max, const std::string& root);

// The JSON of `rocm-smi … --json`; warnings may stand in front of it.
Result<std::vector<Device>> parse_rocm_smi(std::string_view text);
VendorDevices probe_rocm_smi(
    const std::string& program, Duration time_max, const std::string& root
);

// A source that is there and failed: an alarm, and one device of unknown health, so that nobody
// takes the failure for "no devices".
VendorDevices unknown_devices(std::string_view vendor, std::string_view source, std::string reason);

// What tasks ask for, from what the vendor prints: "NVIDIA H100 80GB HBM3" → "H100",
// "NVIDIA GeForce RTX 4090" → "RTX4090", "910B2" → "Ascend910B2", "AMD Instinct MI210" → "MI210".
std::string nvidia_model(std::string_view full_name);
std::string ascend_model(std::string_view full_name);
std::string amd_model(std::string_view full_name);

// From sysfs; absent where the platform does not say.
std::optional<int> numa_node_of(const std::string& pci_address, const std::string& root);
// Numbers the groups of devices that are `linked` directly or by others: sets `link_domain` of all
// that have a peer. Asks for each pair once, first < second.
void number_link_domains(
    std::vector<Device>& devices, const std::function<bool(std::size_t, std::size_t)>& linked
);
// Those of the device files that exist.
std::vector<std::string> existing_nodes(
    const std::vector<std::string>& nodes, const std::string& root
);

// Runs a program and returns what it wrote to standard output. not_found: no such program.
// deadline_exceeded: it was killed. unavailable: it ended with an error.
Result<std::string> run_tool(const std::vector<std::string>& argv, Duration time_max);
constexpr std::size_t kToolOutputBytesMax = std::size_t{1} << 20;

}  // namespace penstock::devices
