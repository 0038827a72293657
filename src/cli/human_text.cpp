// SPDX-License-Identifier: Apache-2.0
#include "cli/human_text.h"

#include <fmt/core.h>

#include <array>
#include <cmath>

namespace penstock::cli {

using std::chrono::duration_cast;

std::string age_text(Duration span) {
    const std::int64_t seconds =
        std::max<std::int64_t>(0, duration_cast<std::chrono::seconds>(span).count());
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m", seconds / 60);
    if (seconds < std::int64_t{48} * 3600) return fmt::format("{}h", seconds / 3600);
    return fmt::format("{}d", seconds / 86400);
}

std::string span_text(Duration span) {
    const std::int64_t ms = std::max<std::int64_t>(0, to_ms(span));
    const std::int64_t seconds = ms / 1000;
    if (seconds < 10) return fmt::format("{}.{}s", seconds, ms % 1000 / 100);
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
    return fmt::format("{}d{:02}h", seconds / 86400, seconds % 86400 / 3600);
}

std::string milli_text(std::int64_t milli) {
    std::string digits = fmt::format("{}.{:03}", milli / 1000, milli % 1000);
    while (digits.ends_with('0')) digits.pop_back();
    if (digits.ends_with('.')) digits.pop_back();
    return digits;
}

std::string bytes_text(std::int64_t bytes) {
    constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    return number_text(value, unit == 0 ? 0 : 1) + kUnits[unit];
}

std::string number_text(std::optional<double> number, int decimals) {
    if (!number) return "-";
    constexpr int kSmallest = 12;  // places; what is smaller is nothing to a person
    const double magnitude = std::abs(*number);
    if (magnitude > std::pow(10, -kSmallest) && magnitude <= std::pow(10, -decimals) / 2)
        decimals = 1 - static_cast<int>(std::floor(std::log10(magnitude)));
    std::string digits = fmt::format("{:.{}f}", *number, decimals);
    if (digits.find('.') == std::string::npos) return digits;
    while (digits.ends_with('0')) digits.pop_back();
    if (digits.ends_with('.')) digits.pop_back();
    return digits;
}

std::string amount_text(std::string_view decimal) {
    std::string text(decimal);
    const std::size_t point = text.find('.');
    if (point == std::string::npos) return text;
    while (text.size() > point + 3 && text.ends_with('0')) text.pop_back();
    return text;
}

}  // namespace penstock::cli
