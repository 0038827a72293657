// SPDX-License-Identifier: Apache-2.0
#include "scheduler/amount_text.h"

#include <fmt/format.h>

#include <cmath>

#include "base/money.h"
#include "base/time.h"

namespace penstock::scheduler {
namespace {

constexpr std::int64_t kMibPerGib = 1024;
constexpr std::array<std::string_view, kTermCount> kNames = {
    "cost", "duration", "security", "latency", "green"
};
constexpr std::array<std::string_view, kTermCount> kNamesZh = {
    "成本", "时长", "安全", "时延", "绿色"
};

std::string text(Term term, double value, std::string_view yuan) {
    switch (term) {
        case Term::cost:
            return to_string(Money::micro(std::llround(value * 1e6))) + std::string(yuan);
        case Term::duration:
            return to_string(std::chrono::milliseconds(std::llround(value * 1e3)));
        case Term::security:
            return fmt::format("{:.2f}", value);
        case Term::latency:
            return fmt::format("{:g} ms", value);
        case Term::green:
            return fmt::format("{:.4g} g", value);
    }
    return {};
}

}  // namespace

std::string thousandths(std::int64_t milli) {
    return fmt::format("{:g}", static_cast<double>(milli) / 1000);
}

std::string memory_text(std::int64_t mib) {
    if (mib < kMibPerGib) return fmt::format("{} MiB", mib);
    return fmt::format("{:g} GiB", static_cast<double>(mib) / static_cast<double>(kMibPerGib));
}

std::string_view name_of(Term term) { return kNames.at(static_cast<std::size_t>(term)); }
std::string_view name_zh_of(Term term) { return kNamesZh.at(static_cast<std::size_t>(term)); }

std::string value_text(Term term, const std::optional<double>& value) {
    return value ? text(term, *value, " yuan") : "unknown";
}
std::string value_text_zh(Term term, const std::optional<double>& value) {
    return value ? text(term, *value, " 元") : "未知";
}

}  // namespace penstock::scheduler
