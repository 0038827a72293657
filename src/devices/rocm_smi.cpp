// SPDX-License-Identifier: Apache-2.0
// AMD devices by the ROCm SMI library, else by its tool. Not run on hardware yet: written from the
// vendor's interface description and tested against a library of our own and published outputs.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "devices/shared_library.h"
#include "devices/vendor.h"
#include "json/json.h"

namespace penstock::devices {
namespace {

constexpr int kSuccess = 0;
constexpr std::uint32_t kDevicesMax = 256;
constexpr int kVideoMemory = 0;
constexpr std::uint32_t kEdgeSensor = 0;
constexpr int kCurrentTemperature = 0;
constexpr int kDriverComponent = 0;
constexpr int kLinkXgmi = 2;

struct RocmSmi {
    explicit RocmSmi(const SharedLibrary& library)
        : init(library.find<int(std::uint64_t)>("rsmi_init")),
          shut_down(library.find<int()>("rsmi_shut_down")),
          count(library.find<int(std::uint32_t*)>("rsmi_num_monitor_devices")),
          name(library.find<int(std::uint32_t, char*, std::size_t)>("rsmi_dev_name_get")),
          unique_id(library.find<int(std::uint32_t, std::uint64_t*)>("rsmi_dev_unique_id_get")),
          pci_id(library.find<int(std::uint32_t, std::uint64_t*)>("rsmi_dev_pci_id_get")),
          memory_total(
              library.find<int(std::uint32_t, int, std::uint64_t*)>("rsmi_dev_memory_total_get")
          ),
          memory_usage(
              library.find<int(std::uint32_t, int, std::uint64_t*)>("rsmi_dev_memory_usage_get")
          ),
          busy(library.find<int(std::uint32_t, std::uint32_t*)>("rsmi_dev_busy_percent_get")),
          temperature(library.find<int(std::uint32_t, std::uint32_t, int, std::int64_t*)>(
              "rsmi_dev_temp_metric_get"
          )),
          power(library.find<int(std::uint32_t, std::uint32_t, std::uint64_t*)>(
              "rsmi_dev_power_ave_get"
          )),
          version(library.find<int(int, char*, std::uint32_t)>("rsmi_version_str_get")),
          link_type(library.find<int(std::uint32_t, std::uint32_t, std::uint64_t*, int*)>(
              "rsmi_topo_get_link_type"
          )) {}
    int (*init)(std::uint64_t);
    int (*shut_down)();
    int (*count)(std::uint32_t*);
    int (*name)(std::uint32_t, char*, std::size_t);
    int (*unique_id)(std::uint32_t, std::uint64_t*);
    int (*pci_id)(std::uint32_t, std::uint64_t*);
    int (*memory_total)(std::uint32_t, int, std::uint64_t*);
    int (*memory_usage)(std::uint32_t, int, std::uint64_t*);
    int (*busy)(std::uint32_t, std::uint32_t*);
    int (*temperature)(std::uint32_t, std::uint32_t, int, std::int64_t*);
    int (*power)(std::uint32_t, std::uint32_t, std::uint64_t*);
    int (*version)(int, char*, std::uint32_t);
    int (*link_type)(std::uint32_t, std::uint32_t, std::uint64_t*, int*);
};

Device read_device(const RocmSmi& smi, std::uint32_t index, const std::string& root) {
    Device device{.index = index, .vendor = "AMD", .source = "rocm_smi"};
    std::array<char, 256> text{};
    if (smi.name != nullptr && smi.name(index, text.data(), text.size() - 1) == kSuccess)
        device.full_name = text.data();
    device.model = amd_model(device.full_name);
    text.fill('\0');
    if (smi.version != nullptr &&
        smi.version(kDriverComponent, text.data(), text.size() - 1) == kSuccess)
        device.driver_version = text.data();
    std::uint64_t wide = 0;
    if (smi.unique_id != nullptr && smi.unique_id(index, &wide) == kSuccess)
        device.uuid = fmt::format("{:#018x}", wide);
    if (smi.memory_total != nullptr && smi.memory_total(index, kVideoMemory, &wide) == kSuccess)
        device.memory_bytes = static_cast<std::int64_t>(wide);
    if (smi.memory_usage != nullptr && smi.memory_usage(index, kVideoMemory, &wide) == kSuccess)
        device.memory_used_bytes = static_cast<std::int64_t>(wide);
    // In microwatts.
    if (smi.power != nullptr && smi.power(index, 0, &wide) == kSuccess)
        device.power_milliwatts = static_cast<std::int64_t>(wide / 1000);
    if (smi.pci_id != nullptr && smi.pci_id(index, &wide) == kSuccess) {
        device.pci_address = fmt::format(
            "{:04x}:{:02x}:{:02x}.{:x}", wide >> 32U, (wide >> 8U) & 0xFFU, (wide >> 3U) & 0x1FU,
            wide & 0x7U
        );
        device.numa_node = numa_node_of(device.pci_address, root);
    }
    std::uint32_t percent = 0;
    if (smi.busy != nullptr && smi.busy(index, &percent) == kSuccess)
        device.utilisation_percent = static_cast<int>(percent);
    std::int64_t millidegrees = 0;
    if (smi.temperature != nullptr &&
        smi.temperature(index, kEdgeSensor, kCurrentTemperature, &millidegrees) == kSuccess)
        device.temperature_celsius = static_cast<int>(millidegrees / 1000);
    device.health = device.memory_bytes ? DeviceHealth::ok : DeviceHealth::unknown;
    if (!device.memory_bytes) device.health_reason = "its memory cannot be read";
    device.nodes =
        existing_nodes({"/dev/kfd", fmt::format("/dev/dri/renderD{}", 128 + index)}, root);
    return device;
}

// The text of the first of several spellings: they changed between versions.
std::string text_of(const json::Object& card, std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys)
        if (const json::Value* value = card.if_contains(key);
            value != nullptr && value->is_string())
            if (const auto& text = value->get_string(); text != "N/A")
                return {text.data(), text.size()};
    return "";
}

template <class Number>
std::optional<Number> number_of(const std::string& text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

Device device_of(std::int64_t index, const json::Object& card, const std::string& driver) {
    Device device{.index = index, .vendor = "AMD", .source = "rocm-smi"};
    device.full_name = text_of(card, {"Card Series", "Card series", "Device Name"});
    device.model = amd_model(device.full_name);
    device.uuid = text_of(card, {"Unique ID"});
    device.pci_address = text_of(card, {"PCI Bus"});
    std::ranges::transform(device.pci_address, device.pci_address.begin(), [](char c) {
        return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    device.driver_version = driver;
    device.memory_bytes = number_of<std::int64_t>(text_of(card, {"VRAM Total Memory (B)"}));
    device.memory_used_bytes =
        number_of<std::int64_t>(text_of(card, {"VRAM Total Used Memory (B)"}));
    device.utilisation_percent = number_of<int>(text_of(card, {"GPU use (%)"}));
    if (const auto celsius = number_of<double>(
            text_of(card, {"Temperature (Sensor edge) (C)", "Temperature (Sensor junction) (C)"})
        ))
        device.temperature_celsius = static_cast<int>(std::lround(*celsius));
    if (const auto watts = number_of<double>(text_of(
            card,
            {"Average Graphics Package Power (W)", "Current Socket Graphics Package Power (W)"}
        )))
        device.power_milliwatts = std::llround(*watts * 1000);
    device.health = device.memory_bytes ? DeviceHealth::ok : DeviceHealth::unknown;
    if (!device.memory_bytes) device.health_reason = "rocm-smi prints no memory size for it";
    return device;
}

}  // namespace

VendorDevices probe_rocm_smi_library(
    const std::vector<std::string>& libraries, const std::string& root
) {
    for (const std::string& name : libraries) {
        const SharedLibrary library(name);
        if (!library.is_open()) continue;
        const RocmSmi smi(library);
        if (smi.init == nullptr || smi.count == nullptr)
            return unknown_devices(
                "AMD", "rocm_smi", name + " lacks rsmi_init or the device count"
            );
        if (const int code = smi.init(0); code != kSuccess)
            return unknown_devices("AMD", "rocm_smi", fmt::format("rsmi_init: error {}", code));
        VendorDevices found;
        std::uint32_t count = 0;
        if (const int code = smi.count(&count); code != kSuccess || count > kDevicesMax) {
            found =
                unknown_devices("AMD", "rocm_smi", fmt::format("the device count: error {}", code));
            count = 0;
        }
        for (std::uint32_t index = 0; index < count; ++index)
            found.devices.push_back(read_device(smi, index, root));
        if (smi.link_type != nullptr && count > 0)
            number_link_domains(found.devices, [&](std::size_t i, std::size_t j) {
                std::uint64_t hops = 0;
                int type = 0;
                return smi.link_type(
                           static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(j), &hops,
                           &type
                       ) == kSuccess &&
                       type == kLinkXgmi;
            });
        if (smi.shut_down != nullptr) smi.shut_down();
        return found;
    }
    return {.absent = true};
}

Result<std::vector<Device>> parse_rocm_smi(std::string_view text) {
    const std::size_t first = text.find('{');
    if (first == std::string_view::npos)
        return fail(ErrorCode::invalid_argument, "rocm-smi printed no JSON object");
    const json::Value tree = TRY(json::parse_value(text.substr(first)));
    const json::Object* cards = tree.if_object();
    if (cards == nullptr)
        return fail(ErrorCode::invalid_argument, "rocm-smi printed no JSON object");
    std::string driver;
    if (const json::Value* system = cards->if_contains("system");
        system != nullptr && system->is_object())
        driver = text_of(system->get_object(), {"Driver version"});
    std::vector<Device> devices;
    for (const auto& [key, value] : *cards) {
        if (!key.starts_with("card") || !value.is_object()) continue;
        const auto index = number_of<std::int64_t>(std::string(key.substr(4)));
        if (!index)
            return fail(
                ErrorCode::invalid_argument, "rocm-smi: '" + std::string(key) + "' is no card"
            );
        devices.push_back(device_of(*index, value.get_object(), driver));
    }
    if (devices.empty()) return fail(ErrorCode::invalid_argument, "rocm-smi printed no card");
    std::ranges::sort(devices, {}, &Device::index);
    return devices;
}

VendorDevices probe_rocm_smi(
    const std::string& program, Duration time_max, const std::string& root
) {
    const Result<std::string> text = run_tool(
        {program, "--showproductname", "--showuniqueid", "--showmeminfo", "vram", "--showuse",
         "--showtemp", "--showpower", "--showbus", "--showdriverversion", "--json"},
        time_max
    );
    if (!text && text.error().code == ErrorCode::not_found) return {.absent = true};
    if (!text) return unknown_devices("AMD", "rocm-smi", text.error().message);
    Result<std::vector<Device>> devices = parse_rocm_smi(*text);
    if (!devices) return unknown_devices("AMD", "rocm-smi", devices.error().message);
    for (Device& device : *devices) {
        device.numa_node = numa_node_of(device.pci_address, root);
        device.nodes = existing_nodes(
            {"/dev/kfd", fmt::format("/dev/dri/renderD{}", 128 + device.index)}, root
        );
    }
    return {.devices = *std::move(devices)};
}

}  // namespace penstock::devices
