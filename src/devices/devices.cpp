// SPDX-License-Identifier: Apache-2.0
#include "devices/devices.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <numeric>

#include "devices/processors.h"
#include "devices/vendor.h"

namespace penstock::devices {
namespace {

constexpr std::int64_t kPretendDevicesMax = 1024;

void add(Inventory& inventory, VendorDevices found) {
    std::ranges::move(found.devices, std::back_inserter(inventory.devices));
    std::ranges::move(found.alarms, std::back_inserter(inventory.alarms));
}

void add_processors(Inventory& inventory, const ProbeOptions& options) {
    Result<HostTopology> host = read_topology(options.synthetic_topology, options.root);
    if (!host) {
        inventory.alarms.push_back({"hwloc", host.error().message});
        return;
    }
    inventory.processors = std::move(host->processors);
    inventory.memory_bytes = host->memory_bytes;
    std::int64_t& milli = inventory.processors.cpu_milli;
    if (options.cpu_milli_max > 0) milli = std::min(milli, options.cpu_milli_max);
    if (options.memory_bytes_max > 0)
        inventory.memory_bytes = std::min(inventory.memory_bytes, options.memory_bytes_max);
}

void add_pretend(Inventory& inventory, const std::vector<PretendDevice>& pretend) {
    std::int64_t made = 0;
    for (const PretendDevice& kind : pretend) {
        for (std::int64_t i = 0; i < kind.count && made < kPretendDevicesMax; ++i, ++made) {
            Device device{.index = made, .vendor = "simulated", .model = kind.model};
            device.full_name = "simulated " + kind.model;
            device.uuid = fmt::format("SIM-{}-{}", kind.model, i);
            if (kind.memory_bytes > 0) device.memory_bytes = kind.memory_bytes;
            if (kind.per_link_domain > 0)
                device.link_domain = static_cast<int>(i / kind.per_link_domain);
            device.health = DeviceHealth::ok;
            device.source = "development setting";
            device.simulated = true;
            inventory.devices.push_back(std::move(device));
        }
    }
    if (made == kPretendDevicesMax)
        inventory.alarms.push_back(
            {"development setting", "no more than 1024 pretend devices are made"}
        );
}

}  // namespace

std::string_view name(DeviceHealth health) {
    switch (health) {
        case DeviceHealth::ok:
            return "ok";
        case DeviceHealth::degraded:
            return "degraded";
        case DeviceHealth::failed:
            return "failed";
        case DeviceHealth::unknown:
            return "unknown";
    }
    return "unknown";
}

VendorDevices unknown_devices(
    std::string_view vendor, std::string_view source, std::string reason
) {
    Device device{.vendor = std::string(vendor), .source = std::string(source)};
    device.health_reason = reason;
    return {.devices = {std::move(device)}, .alarms = {{std::string(source), std::move(reason)}}};
}

std::optional<int> numa_node_of(const std::string& pci_address, const std::string& root) {
    if (pci_address.empty()) return std::nullopt;
    std::ifstream file(root + "/sys/bus/pci/devices/" + pci_address + "/numa_node");
    int node = -1;
    // -1 is the kernel's word for a platform that does not say.
    if (!(file >> node) || node < 0) return std::nullopt;
    return node;
}

void number_link_domains(
    std::vector<Device>& devices, const std::function<bool(std::size_t, std::size_t)>& linked
) {
    // group[i] is the least index that i is linked to, directly or by others.
    std::vector<std::size_t> group(devices.size());
    std::iota(group.begin(), group.end(), std::size_t{0});
    for (std::size_t i = 0; i < devices.size(); ++i)
        for (std::size_t j = i + 1; j < devices.size(); ++j) {
            if (group[i] == group[j] || !linked(i, j)) continue;
            const auto [low, high] = std::minmax(group[i], group[j]);
            std::ranges::replace(group, high, low);
        }
    std::map<std::size_t, int> numbers;
    for (std::size_t i = 0; i < devices.size(); ++i)
        if (std::ranges::count(group, group[i]) > 1)
            devices[i].link_domain =
                numbers.try_emplace(group[i], static_cast<int>(numbers.size())).first->second;
}

std::vector<std::string> existing_nodes(
    const std::vector<std::string>& nodes, const std::string& root
) {
    std::vector<std::string> found;
    for (const std::string& node : nodes)
        if (::access((root + node).c_str(), F_OK) == 0) found.push_back(node);
    return found;
}

Inventory probe(const ProbeOptions& options) {
    Inventory inventory;
    add_processors(inventory, options);
    if (!options.nvml.empty()) add(inventory, probe_nvml(options.nvml, options.root));
    VendorDevices ascend{.absent = true};
    if (!options.dcmi.empty()) ascend = probe_dcmi(options.dcmi, options.root);
    if (ascend.absent && !options.npu_smi.empty())
        ascend = probe_npu_smi(options.npu_smi, options.tool_time_max, options.root);
    add(inventory, std::move(ascend));
    VendorDevices amd = probe_rocm_smi_library(options.rocm_smi_libraries, options.root);
    if (amd.absent && !options.rocm_smi.empty())
        amd = probe_rocm_smi(options.rocm_smi, options.tool_time_max, options.root);
    add(inventory, std::move(amd));
    add_pretend(inventory, options.pretend);
    return inventory;
}

}  // namespace penstock::devices
