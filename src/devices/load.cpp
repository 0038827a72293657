// SPDX-License-Identifier: Apache-2.0
#include "devices/load.h"

#include <array>
#include <charconv>
#include <fstream>
#include <sstream>

namespace penstock::devices {
namespace {

Result<std::string> file_text(const std::string& path) {
    std::ifstream file(path);
    if (!file) return fail(ErrorCode::not_found, path + ": cannot be read");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// Takes one integer and the blanks before it.
std::optional<std::int64_t> take_number(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

std::optional<std::int64_t> kib_of(std::string_view text, std::string_view key) {
    const std::size_t at = text.find(key);
    if (at == std::string_view::npos) return std::nullopt;
    text.remove_prefix(at + key.size());
    return take_number(text);
}

}  // namespace

Result<CpuTimes> parse_proc_stat(std::string_view text) {
    if (!text.starts_with("cpu "))
        return fail(ErrorCode::invalid_argument, "/proc/stat: no line 'cpu'");
    std::string_view line = text.substr(3, text.find('\n') - 3);
    // user nice system idle iowait irq softirq steal; what follows is counted in user already.
    std::array<std::int64_t, 8> fields{};
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto field = take_number(line);
        if (!field && i < 4) return fail(ErrorCode::invalid_argument, "/proc/stat: too few fields");
        fields.at(i) = field.value_or(0);
    }
    CpuTimes times;
    for (const std::int64_t field : fields) times.total += field;
    times.busy = times.total - fields[3] - fields[4];
    return times;
}

Result<MemoryUse> parse_meminfo(std::string_view text) {
    const auto total = kib_of(text, "MemTotal:");
    const auto available = kib_of(text, "MemAvailable:");
    if (!total || !available || *total <= 0)
        return fail(ErrorCode::invalid_argument, "/proc/meminfo: no MemTotal or MemAvailable");
    return MemoryUse{.total_bytes = *total * 1024, .available_bytes = *available * 1024};
}

Result<double> parse_loadavg(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data() + text.size() || *end != ' ')
        return fail(ErrorCode::invalid_argument, "/proc/loadavg: no number at its start");
    return value;
}

Result<Load> LoadSampler::sample() {
    const CpuTimes now = TRY(parse_proc_stat(TRY(file_text(root_ + "/proc/stat"))));
    const MemoryUse memory = TRY(parse_meminfo(TRY(file_text(root_ + "/proc/meminfo"))));
    const double average = TRY(parse_loadavg(TRY(file_text(root_ + "/proc/loadavg"))));
    const CpuTimes before = before_.value_or(CpuTimes{});
    before_ = now;
    Load load{.load_average = average};
    const std::int64_t total = now.total - before.total;
    // Two samples within one tick have nothing between them.
    if (total > 0)
        load.cpu_percent =
            100.0 * static_cast<double>(now.busy - before.busy) / static_cast<double>(total);
    load.memory_percent = 100.0 * static_cast<double>(memory.total_bytes - memory.available_bytes) /
                          static_cast<double>(memory.total_bytes);
    return load;
}

}  // namespace penstock::devices
