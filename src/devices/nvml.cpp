// SPDX-License-Identifier: Apache-2.0
// NVIDIA devices by NVML. The prototypes are our own, of the few calls used; their layouts are part
// of the library's stable binary interface.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "devices/shared_library.h"
#include "devices/vendor.h"

namespace penstock::devices {
namespace {

constexpr int kSuccess = 0;
constexpr int kGpuIsLost = 15;
constexpr unsigned kDevicesMax = 256;  // of a host; a larger count is taken for garbage
constexpr unsigned kTemperatureOfGpu = 0;
constexpr unsigned kUncorrectedErrors = 1;
constexpr unsigned kSinceBoot = 0;
constexpr int kOverNvlink = 2;  // what nvmlDeviceGetP2PStatus is asked

using Handle = struct NvmlDevice*;
struct Memory {
    unsigned long long total, free, used;
};
struct Utilization {
    unsigned gpu, memory;
};
struct PciInfo {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};

struct Nvml {
    explicit Nvml(const SharedLibrary& library)
        : init(library.find<int()>("nvmlInit_v2")),
          shutdown(library.find<int()>("nvmlShutdown")),
          error_string(library.find<const char*(int)>("nvmlErrorString")),
          count(library.find<int(unsigned*)>("nvmlDeviceGetCount_v2")),
          by_index(library.find<int(unsigned, Handle*)>("nvmlDeviceGetHandleByIndex_v2")),
          driver_version(library.find<int(char*, unsigned)>("nvmlSystemGetDriverVersion")),
          name(library.find<int(Handle, char*, unsigned)>("nvmlDeviceGetName")),
          uuid(library.find<int(Handle, char*, unsigned)>("nvmlDeviceGetUUID")),
          memory(library.find<int(Handle, Memory*)>("nvmlDeviceGetMemoryInfo")),
          utilization(library.find<int(Handle, Utilization*)>("nvmlDeviceGetUtilizationRates")),
          temperature(library.find<int(Handle, unsigned, unsigned*)>("nvmlDeviceGetTemperature")),
          power(library.find<int(Handle, unsigned*)>("nvmlDeviceGetPowerUsage")),
          energy(
              library.find<int(Handle, unsigned long long*)>("nvmlDeviceGetTotalEnergyConsumption")
          ),
          pci(library.find<int(Handle, PciInfo*)>("nvmlDeviceGetPciInfo_v3")),
          minor(library.find<int(Handle, unsigned*)>("nvmlDeviceGetMinorNumber")),
          ecc_errors(library.find<int(Handle, unsigned, unsigned, unsigned long long*)>(
              "nvmlDeviceGetTotalEccErrors"
          )),
          remapped(library.find<int(Handle, unsigned*, unsigned*, unsigned*, unsigned*)>(
              "nvmlDeviceGetRemappedRows"
          )),
          mig_mode(library.find<int(Handle, unsigned*, unsigned*)>("nvmlDeviceGetMigMode")),
          mig_count_max(library.find<int(Handle, unsigned*)>("nvmlDeviceGetMaxMigDeviceCount")),
          mig_by_index(
              library.find<int(Handle, unsigned, Handle*)>("nvmlDeviceGetMigDeviceHandleByIndex")
          ),
          peer_status(library.find<int(Handle, Handle, int, int*)>("nvmlDeviceGetP2PStatus")) {}

    std::string error(int code) const {
        return error_string != nullptr ? error_string(code) : fmt::format("error {}", code);
    }

    int (*init)();
    int (*shutdown)();
    const char* (*error_string)(int);
    int (*count)(unsigned*);
    int (*by_index)(unsigned, Handle*);
    int (*driver_version)(char*, unsigned);
    int (*name)(Handle, char*, unsigned);
    int (*uuid)(Handle, char*, unsigned);
    int (*memory)(Handle, Memory*);
    int (*utilization)(Handle, Utilization*);
    int (*temperature)(Handle, unsigned, unsigned*);
    int (*power)(Handle, unsigned*);
    int (*energy)(Handle, unsigned long long*);
    int (*pci)(Handle, PciInfo*);
    int (*minor)(Handle, unsigned*);
    int (*ecc_errors)(Handle, unsigned, unsigned, unsigned long long*);
    int (*remapped)(Handle, unsigned*, unsigned*, unsigned*, unsigned*);
    int (*mig_mode)(Handle, unsigned*, unsigned*);
    int (*mig_count_max)(Handle, unsigned*);
    int (*mig_by_index)(Handle, unsigned, Handle*);
    int (*peer_status)(Handle, Handle, int, int*);
};

// Calls an optional function with a buffer for text.
template <class Function, class... Before>
std::string text_of(Function* function, Before... before) {
    std::array<char, 128> buffer{};
    if (function == nullptr || function(before..., buffer.data(), buffer.size() - 1) != kSuccess)
        return "";
    return buffer.data();
}

// Calls an optional function with one result.
template <class Value, class Function, class... Before>
std::optional<Value> value_of(Function* function, Before... before) {
    Value value{};
    if (function == nullptr || function(before..., &value) != kSuccess) return std::nullopt;
    return value;
}

void read_health(const Nvml& nvml, Handle handle, Device& device) {
    device.health = DeviceHealth::ok;
    const auto errors =
        value_of<unsigned long long>(nvml.ecc_errors, handle, kUncorrectedErrors, kSinceBoot);
    if (errors && *errors > 0) {
        device.health = DeviceHealth::degraded;
        device.health_reason =
            fmt::format("{} uncorrected memory errors since the driver was loaded", *errors);
    }
    unsigned corrected = 0, uncorrected = 0, pending = 0, failed = 0;
    if (nvml.remapped == nullptr ||
        nvml.remapped(handle, &corrected, &uncorrected, &pending, &failed) != kSuccess)
        return;
    if (pending != 0) {
        device.health = DeviceHealth::degraded;
        device.health_reason = "memory rows wait to be remapped; reset the device";
    }
    if (failed != 0) {
        device.health = DeviceHealth::failed;
        device.health_reason = "memory rows could not be remapped; replace the device";
    }
}

// "00000000:17:00.0" as NVML writes it, "0000:17:00.0" as sysfs does.
std::string sysfs_address(const PciInfo& pci) {
    return fmt::format("{:04x}:{:02x}:{:02x}.0", pci.domain, pci.bus, pci.device);
}

void read_load(const Nvml& nvml, Handle handle, Device& device) {
    if (const auto memory = value_of<Memory>(nvml.memory, handle)) {
        device.memory_bytes = static_cast<std::int64_t>(memory->total);
        device.memory_used_bytes = static_cast<std::int64_t>(memory->used);
    }
    if (const auto load = value_of<Utilization>(nvml.utilization, handle))
        device.utilisation_percent = static_cast<int>(load->gpu);
    if (const auto celsius = value_of<unsigned>(nvml.temperature, handle, kTemperatureOfGpu))
        device.temperature_celsius = static_cast<int>(*celsius);
    if (const auto milliwatts = value_of<unsigned>(nvml.power, handle))
        device.power_milliwatts = *milliwatts;
    if (const auto millijoules = value_of<unsigned long long>(nvml.energy, handle))
        device.energy_millijoules = static_cast<std::int64_t>(*millijoules);
}

Device read_device(const Nvml& nvml, Handle handle, unsigned index, const std::string& root) {
    Device device{.index = index, .vendor = "NVIDIA", .source = "nvml"};
    device.full_name = text_of(nvml.name, handle);
    device.model = nvidia_model(device.full_name);
    device.uuid = text_of(nvml.uuid, handle);
    device.driver_version = text_of(nvml.driver_version);
    read_load(nvml, handle, device);
    read_health(nvml, handle, device);
    if (const auto pci = value_of<PciInfo>(nvml.pci, handle)) {
        device.pci_address = sysfs_address(*pci);
        device.numa_node = numa_node_of(device.pci_address, root);
    }
    const unsigned minor = value_of<unsigned>(nvml.minor, handle).value_or(index);
    device.nodes = existing_nodes(
        {fmt::format("/dev/nvidia{}", minor), "/dev/nvidiactl", "/dev/nvidia-uvm",
         "/dev/nvidia-uvm-tools"},
        root
    );
    return device;
}

// `handles` stand beside the devices; null: a part of one, which has no links of its own, or lost.
void read_links(
    const Nvml& nvml, const std::vector<Handle>& handles, std::vector<Device>& devices
) {
    if (nvml.peer_status == nullptr) return;
    number_link_domains(devices, [&](std::size_t i, std::size_t j) {
        if (handles[i] == nullptr || handles[j] == nullptr) return false;
        const auto status = value_of<int>(nvml.peer_status, handles[i], handles[j], kOverNvlink);
        return status == kSuccess;
    });
}

// A device that is cut by MIG is sold in its parts; the whole is not listed.
void add_device(const Nvml& nvml, Handle handle, Device whole, std::vector<Device>& out) {
    unsigned current = 0, pending = 0;
    const bool cut = nvml.mig_mode != nullptr && nvml.mig_by_index != nullptr &&
                     nvml.mig_mode(handle, &current, &pending) == kSuccess && current == 1;
    if (!cut) {
        out.push_back(std::move(whole));
        return;
    }
    const unsigned count =
        std::min(value_of<unsigned>(nvml.mig_count_max, handle).value_or(0), kDevicesMax);
    for (unsigned i = 0; i < count; ++i) {
        Handle part = nullptr;
        if (nvml.mig_by_index(handle, i, &part) != kSuccess) continue;
        Device device = whole;
        device.parent_uuid = whole.uuid;
        device.full_name = text_of(nvml.name, part);
        device.model = nvidia_model(device.full_name);
        device.uuid = text_of(nvml.uuid, part);
        device.memory_bytes = device.memory_used_bytes = std::nullopt;
        device.utilisation_percent = std::nullopt;
        if (const auto memory = value_of<Memory>(nvml.memory, part)) {
            device.memory_bytes = static_cast<std::int64_t>(memory->total);
            device.memory_used_bytes = static_cast<std::int64_t>(memory->used);
        }
        out.push_back(std::move(device));
    }
}

Device lost_device(unsigned index, int code, const std::string& error) {
    Device device{.index = index, .vendor = "NVIDIA", .source = "nvml"};
    device.health = code == kGpuIsLost ? DeviceHealth::failed : DeviceHealth::unknown;
    device.health_reason = error;
    return device;
}

}  // namespace

VendorDevices probe_nvml(const std::string& library_name, const std::string& root) {
    const SharedLibrary library(library_name);
    if (!library.is_open()) return {.absent = true};
    const Nvml nvml(library);
    if (nvml.init == nullptr || nvml.count == nullptr || nvml.by_index == nullptr)
        return unknown_devices(
            "NVIDIA", "nvml", library_name + " lacks nvmlInit_v2 or the device list"
        );
    if (const int code = nvml.init(); code != kSuccess)
        return unknown_devices("NVIDIA", "nvml", "nvmlInit_v2: " + nvml.error(code));
    VendorDevices found;
    unsigned count = 0;
    const int counted = nvml.count(&count);
    if (counted != kSuccess || count > kDevicesMax) {
        found = unknown_devices("NVIDIA", "nvml", "nvmlDeviceGetCount_v2: " + nvml.error(counted));
        count = 0;
    }
    std::vector<Handle> handles(found.devices.size(), nullptr);
    for (unsigned index = 0; index < count; ++index) {
        Handle handle = nullptr;
        const int code = nvml.by_index(index, &handle);
        if (code == kSuccess) {
            const std::size_t before = found.devices.size();
            add_device(nvml, handle, read_device(nvml, handle, index, root), found.devices);
            handles.resize(found.devices.size(), nullptr);
            if (found.devices.size() > before && found.devices.back().parent_uuid.empty())
                handles.back() = handle;
            continue;
        }
        found.devices.push_back(lost_device(index, code, nvml.error(code)));
        handles.push_back(nullptr);
        found.alarms.push_back({"nvml", fmt::format("device {}: {}", index, nvml.error(code))});
    }
    read_links(nvml, handles, found.devices);
    if (nvml.shutdown != nullptr) nvml.shutdown();
    return found;
}

}  // namespace penstock::devices
