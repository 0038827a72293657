// SPDX-License-Identifier: Apache-2.0
// Ascend devices by DCMI. The prototypes are our own, of the few calls used. Not run on hardware
// yet: written from the vendor's interface description and tested against a library of our own.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "devices/shared_library.h"
#include "devices/vendor.h"

namespace penstock::devices {
namespace {

constexpr int kSuccess = 0;
constexpr int kCardsMax = 64;  // the interface's own limit
constexpr int kChipsMax = 16;  // of a card
constexpr int kRateOfAiCores = 2;
constexpr int kTopologyHccs = 3;
constexpr int kTopologyHccsBySwitch = 7;
constexpr std::int64_t kMib = std::int64_t{1} << 20;

struct ChipInfo {
    unsigned char chip_type[32];
    unsigned char chip_name[32];
    unsigned char chip_version[32];
    unsigned core_count;
};
struct HbmInfo {
    unsigned long long memory_size;  // MiB
    unsigned frequency;
    unsigned long long memory_usage;  // MiB
    int temperature;
    unsigned bandwidth_rate;
};
struct PciInfo {
    unsigned vendor, sub_vendor, device_id, sub_device;
    int domain;
    unsigned bus, device, function;
    unsigned char reserved[32];
};
// A later version may write more than we know of; the room behind keeps that harmless.
template <class Record>
struct Roomy {
    Record record{};
    std::array<unsigned char, 256> room{};
};

struct Dcmi {
    explicit Dcmi(const SharedLibrary& library)
        : init(library.find<int()>("dcmi_init")),
          cards(library.find<int(int*, int*, int)>("dcmi_get_card_list")),
          chips(library.find<int(int, int*)>("dcmi_get_device_num_in_card")),
          chip_info(library.find<int(int, int, void*)>("dcmi_get_device_chip_info")),
          hbm(library.find<int(int, int, void*)>("dcmi_get_device_hbm_info")),
          pci(library.find<int(int, int, void*)>("dcmi_get_device_pcie_info_v2")),
          utilization(library.find<int(int, int, int, unsigned*)>("dcmi_get_device_utilization_rate"
          )),
          health(library.find<int(int, int, unsigned*)>("dcmi_get_device_health")),
          temperature(library.find<int(int, int, int*)>("dcmi_get_device_temperature")),
          power(library.find<int(int, int, int*)>("dcmi_get_device_power_info")),
          logical_id(library.find<int(int*, int, int)>("dcmi_get_device_logic_id")),
          physical_id(library.find<int(unsigned, unsigned*)>("dcmi_get_device_phyid_from_logicid")),
          topology(library.find<int(int, int, int, int, int*)>("dcmi_get_topo_info_by_device_id")) {
        if (cards == nullptr) cards = library.find<int(int*, int*, int)>("dcmi_get_card_num_list");
    }
    int (*init)();
    int (*cards)(int*, int*, int);
    int (*chips)(int, int*);
    int (*chip_info)(int, int, void*);
    int (*hbm)(int, int, void*);
    int (*pci)(int, int, void*);
    int (*utilization)(int, int, int, unsigned*);
    int (*health)(int, int, unsigned*);
    int (*temperature)(int, int, int*);
    int (*power)(int, int, int*);
    int (*logical_id)(int*, int, int);
    int (*physical_id)(unsigned, unsigned*);
    int (*topology)(int, int, int, int, int*);
};

void read_health(const Dcmi& dcmi, int card, int chip, Device& device) {
    unsigned level = 0;
    if (dcmi.health == nullptr || dcmi.health(card, chip, &level) != kSuccess) {
        device.health_reason = "the health cannot be read";
        return;
    }
    device.health = level == 0   ? DeviceHealth::ok
                    : level == 1 ? DeviceHealth::degraded
                                 : DeviceHealth::failed;
    if (level > 3) device.health = DeviceHealth::unknown;
    if (level != 0) device.health_reason = fmt::format("alarm level {}", level);
}

void read_nodes(const Dcmi& dcmi, int card, int chip, const std::string& root, Device& device) {
    int logical = 0;
    unsigned physical = 0;
    if (dcmi.logical_id == nullptr || dcmi.physical_id == nullptr ||
        dcmi.logical_id(&logical, card, chip) != kSuccess ||
        dcmi.physical_id(static_cast<unsigned>(logical), &physical) != kSuccess)
        return;
    device.nodes = existing_nodes(
        {fmt::format("/dev/davinci{}", physical), "/dev/davinci_manager", "/dev/devmm_svm",
         "/dev/hisi_hdc"},
        root
    );
}

Device read_device(const Dcmi& dcmi, int card, int chip, const std::string& root) {
    Device device{.vendor = "Ascend", .source = "dcmi"};
    if (Roomy<ChipInfo> info;
        dcmi.chip_info != nullptr && dcmi.chip_info(card, chip, &info) == kSuccess) {
        const auto* name = reinterpret_cast<const char*>(info.record.chip_name);
        device.full_name.assign(name, std::find(name, name + sizeof info.record.chip_name, '\0'));
        device.model = ascend_model(device.full_name);
    }
    if (Roomy<HbmInfo> hbm; dcmi.hbm != nullptr && dcmi.hbm(card, chip, &hbm) == kSuccess) {
        device.memory_bytes = static_cast<std::int64_t>(hbm.record.memory_size) * kMib;
        device.memory_used_bytes = static_cast<std::int64_t>(hbm.record.memory_usage) * kMib;
    }
    if (Roomy<PciInfo> pci; dcmi.pci != nullptr && dcmi.pci(card, chip, &pci) == kSuccess) {
        device.pci_address = fmt::format(
            "{:04x}:{:02x}:{:02x}.{:x}", static_cast<unsigned>(pci.record.domain), pci.record.bus,
            pci.record.device, pci.record.function
        );
        device.numa_node = numa_node_of(device.pci_address, root);
    }
    unsigned rate = 0;
    if (dcmi.utilization != nullptr &&
        dcmi.utilization(card, chip, kRateOfAiCores, &rate) == kSuccess)
        device.utilisation_percent = static_cast<int>(rate);
    int number = 0;
    if (dcmi.temperature != nullptr && dcmi.temperature(card, chip, &number) == kSuccess)
        device.temperature_celsius = number;
    // In tenths of a watt.
    if (dcmi.power != nullptr && dcmi.power(card, chip, &number) == kSuccess)
        device.power_milliwatts = std::int64_t{number} * 100;
    read_health(dcmi, card, chip, device);
    read_nodes(dcmi, card, chip, root, device);
    return device;
}

using CardAndChip = std::pair<int, int>;

void read_links(
    const Dcmi& dcmi, const std::vector<CardAndChip>& places, std::vector<Device>& devices
) {
    if (dcmi.topology == nullptr) return;
    number_link_domains(devices, [&](std::size_t i, std::size_t j) {
        constexpr CardAndChip kNone{-1, -1};
        if (places[i] == kNone || places[j] == kNone) return false;
        int kind = 0;
        return dcmi.topology(
                   places[i].first, places[i].second, places[j].first, places[j].second, &kind
               ) == kSuccess &&
               (kind == kTopologyHccs || kind == kTopologyHccsBySwitch);
    });
}

}  // namespace

VendorDevices probe_dcmi(const std::string& library_name, const std::string& root) {
    const SharedLibrary library(library_name);
    if (!library.is_open()) return {.absent = true};
    const Dcmi dcmi(library);
    if (dcmi.init == nullptr || dcmi.cards == nullptr || dcmi.chips == nullptr)
        return unknown_devices(
            "Ascend", "dcmi", library_name + " lacks dcmi_init or the card list"
        );
    if (const int code = dcmi.init(); code != kSuccess)
        return unknown_devices("Ascend", "dcmi", fmt::format("dcmi_init: error {}", code));
    std::array<int, kCardsMax> cards{};
    int count = 0;
    if (const int code = dcmi.cards(&count, cards.data(), kCardsMax);
        code != kSuccess || count > kCardsMax)
        return unknown_devices(
            "Ascend", "dcmi", fmt::format("the card list: error {}, {} cards", code, count)
        );
    VendorDevices found;
    std::vector<CardAndChip> places;  // beside the devices; -1: a card that cannot be read
    for (int i = 0; i < count; ++i) {
        const int card = cards.at(static_cast<std::size_t>(i));
        int chips = 0;
        if (const int code = dcmi.chips(card, &chips); code != kSuccess || chips > kChipsMax) {
            VendorDevices unknown =
                unknown_devices("Ascend", "dcmi", fmt::format("card {}: error {}", card, code));
            found.devices.push_back(unknown.devices.front());
            places.emplace_back(-1, -1);
            found.alarms.push_back(unknown.alarms.front());
            continue;
        }
        for (int chip = 0; chip < chips; ++chip) {
            found.devices.push_back(read_device(dcmi, card, chip, root));
            places.emplace_back(card, chip);
            found.devices.back().index = static_cast<std::int64_t>(found.devices.size()) - 1;
        }
    }
    read_links(dcmi, places, found.devices);
    return found;
}

}  // namespace penstock::devices
