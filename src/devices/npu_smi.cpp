// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "devices/vendor.h"

// `npu-smi info` prints a table. A chip takes two rows of three cells, in the order of the two
// header rows; which columns the second row has differs by chip (HBM or DDR) and by version
// (Phy-ID):
//     | NPU   Name                | Health        | Power(W)    Temp(C) Hugepages-Usage(page)| |
//     Chip  Phy-ID              | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB) | | 0
//     910B2               | OK            | 93.8        42                0    / 0             | |
//     0     0                   | 0000:C1:00.0  | 0           0    / 0          3416 / 65536 |
// A second table, of processes, follows. "-" and "NA" stand for what the chip does not measure.
namespace penstock::devices {
namespace {

constexpr std::int64_t kMib = std::int64_t{1} << 20;
constexpr std::size_t kDevicesMax = 256;  // of a host

std::vector<std::string_view> words_of(std::string_view text) {
    constexpr std::string_view kBetween = " \t\r";
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t first = text.find_first_not_of(kBetween);
        if (first == std::string_view::npos) return words;
        text.remove_prefix(first);
        const std::size_t end = std::min(text.find_first_of(kBetween), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

// The three cells of a row, empty when it is none.
std::vector<std::vector<std::string_view>> cells_of(std::string_view line) {
    std::vector<std::vector<std::string_view>> cells;
    if (!line.starts_with('|')) return cells;
    line.remove_prefix(1);
    for (std::size_t end = line.find('|'); end != std::string_view::npos; end = line.find('|')) {
        cells.push_back(words_of(line.substr(0, end)));
        line.remove_prefix(end + 1);
    }
    return cells;
}

template <class Number>
std::optional<Number> number_of(std::string_view word) {
    Number value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (word.empty() || error != std::errc() || end != word.data() + word.size())
        return std::nullopt;
    return value;
}

// "used / total" pairs of the last cell, behind the AICore percentage; a number may touch the
// stroke.
struct Usage {
    std::int64_t used = 0;
    std::int64_t total = 0;
};
std::vector<Usage> usages_of(const std::vector<std::string_view>& words) {
    std::vector<std::string_view> parts;
    for (std::string_view word : words) {
        const std::size_t stroke = word.find('/');
        const std::string_view before = word.substr(0, stroke);
        if (!before.empty()) parts.push_back(before);
        if (stroke == std::string_view::npos) continue;
        parts.push_back(word.substr(stroke, 1));
        if (stroke + 1 < word.size()) parts.push_back(word.substr(stroke + 1));
    }
    std::vector<Usage> usages;
    for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
        if (parts[i] != "/") continue;
        const auto used = number_of<std::int64_t>(parts[i - 1]);
        const auto total = number_of<std::int64_t>(parts[i + 1]);
        if (used && total) usages.push_back({*used, *total});
    }
    return usages;
}

DeviceHealth health_of(std::string_view word) {
    if (word == "OK") return DeviceHealth::ok;
    if (word == "Warning") return DeviceHealth::degraded;
    if (word == "Alarm" || word == "Critical") return DeviceHealth::failed;
    return DeviceHealth::unknown;
}

struct Header {
    std::string version;
    bool has_physical_ids = false;
    std::size_t usages = 0;  // columns "used / total" of the second row
};

Result<Device> device_of(
    std::string_view first_line, std::string_view second_line, const Header& header
) {
    const auto first = cells_of(first_line);
    const auto second = cells_of(second_line);
    const auto bad = [&] {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("npu-smi: rows '{}' and '{}' are not a chip", first_line, second_line)
        );
    };
    if (first.size() != 3 || second.size() != 3 || first[0].size() < 2 || first[1].empty() ||
        first[2].size() < 2 || second[0].empty() || second[1].size() != 1 || second[2].empty())
        return bad();
    const std::vector<Usage> usages = usages_of(second[2]);
    if (!number_of<int>(first[0][0]) || usages.empty() || usages.size() != header.usages)
        return bad();
    Device device{.vendor = "Ascend", .source = "npu-smi"};
    device.full_name = std::string(first[0][1]);
    device.model = ascend_model(device.full_name);
    device.driver_version = header.version;
    device.health = health_of(first[1][0]);
    if (device.health != DeviceHealth::ok)
        device.health_reason = "npu-smi says " + std::string(first[1][0]);
    if (const auto watts = number_of<double>(first[2][0]))
        device.power_milliwatts = std::llround(*watts * 1000);
    device.temperature_celsius = number_of<int>(first[2][1]);
    device.pci_address = std::string(second[1][0]);
    for (char& c : device.pci_address)
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    device.utilisation_percent = number_of<int>(second[2][0]);
    // With HBM the chip's own memory is the last column, and the one before counts 0 of 0.
    if (usages.back().total > 0) {
        device.memory_used_bytes = usages.back().used * kMib;
        device.memory_bytes = usages.back().total * kMib;
    }
    return device;
}

}  // namespace

Result<std::vector<Device>> parse_npu_smi(std::string_view text) {
    std::vector<Device> devices;
    Header header;
    std::string_view first_row;
    bool in_table = false;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (line.ends_with(' ') || line.ends_with('\r')) line.remove_suffix(1);
        const auto cells = cells_of(line);
        if (cells.empty()) continue;
        if (const std::size_t at = line.find("Version: "); at != std::string_view::npos)
            header.version = std::string(words_of(line.substr(at + 9)).front());
        if (line.find("Process id") != std::string_view::npos) break;
        if (!cells[0].empty() && (cells[0][0] == "NPU" || cells[0][0] == "Chip")) {
            in_table = true;
            header.has_physical_ids |= line.find("Phy-ID") != std::string_view::npos;
            for (const std::string_view column : {"Memory-Usage(", "HBM-Usage("})
                header.usages += line.find(column) != std::string_view::npos ? 1 : 0;
        } else if (in_table && first_row.empty()) {
            first_row = line;
        } else if (in_table) {
            Device device = TRY(device_of(first_row, line, header));
            first_row = {};
            device.index = static_cast<std::int64_t>(devices.size());
            if (header.has_physical_ids && cells[0].size() > 1)
                device.index = number_of<std::int64_t>(cells[0][1]).value_or(device.index);
            devices.push_back(std::move(device));
        }
    }
    if (devices.empty() || !first_row.empty())
        return fail(
            ErrorCode::invalid_argument, "npu-smi: the output is not the table that is known"
        );
    return devices;
}

Result<std::vector<std::vector<bool>>> parse_npu_topology(std::string_view text) {
    std::vector<std::vector<bool>> linked;
    std::size_t columns = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::vector<std::string_view> words = words_of(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (words.empty()) continue;
        const auto is_device = [](std::string_view word) { return word.starts_with("NPU"); };
        if (columns == 0) {
            columns = static_cast<std::size_t>(std::ranges::count_if(words, is_device));
        } else if (linked.size() < columns && is_device(words[0]) && words.size() > columns) {
            std::vector<bool>& row = linked.emplace_back();
            for (std::size_t i = 1; i <= columns; ++i) row.push_back(words[i].starts_with("HCCS"));
        }
    }
    if (columns == 0 || linked.size() != columns || columns > kDevicesMax)
        return fail(
            ErrorCode::invalid_argument, "npu-smi: the topology is not the matrix that is known"
        );
    return linked;
}

VendorDevices probe_npu_smi(
    const std::string& program, Duration time_max, const std::string& root
) {
    const Result<std::string> text = run_tool({program, "info"}, time_max);
    if (!text && text.error().code == ErrorCode::not_found) return {.absent = true};
    if (!text) return unknown_devices("Ascend", "npu-smi", text.error().message);
    Result<std::vector<Device>> devices = parse_npu_smi(*text);
    if (!devices) return unknown_devices("Ascend", "npu-smi", devices.error().message);
    if (const Result<std::string> topology = run_tool({program, "info", "-t", "topo"}, time_max))
        if (const auto linked = parse_npu_topology(*topology);
            linked && linked->size() == devices->size())
            number_link_domains(*devices, [&](std::size_t i, std::size_t j) {
                return (*linked)[i][j];
            });
    for (Device& device : *devices) {
        device.numa_node = numa_node_of(device.pci_address, root);
        device.nodes = existing_nodes(
            {fmt::format("/dev/davinci{}", device.index), "/dev/davinci_manager", "/dev/devmm_svm",
             "/dev/hisi_hdc"},
            root
        );
    }
    return {.devices = *std::move(devices)};
}

}  // namespace penstock::devices
