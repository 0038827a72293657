// SPDX-License-Identifier: Apache-2.0
#include "sim/throughput_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <tuple>

#include "config/settings.h"
#include "json/json.h"

namespace penstock::sim {
namespace {

constexpr std::string_view kAlone = "null";  // the key of the rate without a neighbour
constexpr std::int64_t kDevicesOfAJobMax = 100'000;

struct Key {
    std::string name;
    std::int64_t devices = 0;
    auto operator<=>(const Key& other) const {
        return std::tie(devices, name) <=> std::tie(other.devices, other.name);
    }
    bool operator==(const Key&) const = default;
};

std::unexpected<Error> wrong(const std::string& name, std::string what) {
    return fail(ErrorCode::invalid_argument, fmt::format("{}: {}", name, what));
}

// "('ResNet-50 (batch size 64)', 2)"
Result<Key> parse_key(const std::string& name, std::string_view text) {
    const auto refused = [&] {
        return wrong(name, fmt::format("'{}' is no job type: write \"('type', devices)\"", text));
    };
    const std::size_t comma = text.rfind("', ");
    if (!text.starts_with("('") || !text.ends_with(")") || comma == std::string_view::npos)
        return refused();
    Key key{.name = std::string(text.substr(2, comma - 2))};
    const std::string_view number = text.substr(comma + 3, text.size() - comma - 4);
    const char* end = std::to_address(number.end());
    const auto [stop, error] = std::from_chars(std::to_address(number.begin()), end, key.devices);
    if (error != std::errc{} || stop != end || key.name.empty() || key.devices < 1 ||
        key.devices > kDevicesOfAJobMax)
        return refused();
    return key;
}

Result<double> rate_in(
    const std::string& name, const std::string& kind, std::string_view type,
    const json::Value& rates
) {
    const auto* const object = rates.if_object();
    const auto* const alone = object != nullptr ? object->if_contains(kAlone) : nullptr;
    if (alone == nullptr || !alone->is_number())
        return wrong(name, fmt::format("{}, {}: no number under \"{}\"", kind, type, kAlone));
    const auto rate = alone->to_number<double>();
    if (!std::isfinite(rate) || rate < 0)
        return wrong(name, fmt::format("{}, {}: a rate is 0 or more steps/s", kind, type));
    return rate;
}

using RatesByKey = std::map<Key, std::vector<double>>;  // a vector grows with the kinds read

Result<void> add_kind(
    const std::string& name, const std::string& kind, const json::Object& types, RatesByKey& rates,
    bool first
) {
    std::size_t added = 0;
    for (const auto& [text, value] : types) {
        const Key key = TRY(parse_key(name, text));
        const double rate = TRY(rate_in(name, kind, text, value));
        if (!first && !rates.contains(key))
            return wrong(name, fmt::format("{} on {} has no rate on the other kinds", text, kind));
        rates[key].push_back(rate);
        ++added;
    }
    if (added != rates.size())
        return wrong(
            name, fmt::format(
                      "{} has rates of {} job types, the kinds before it of {}: write 0 where one "
                      "cannot run",
                      kind, added, rates.size()
                  )
        );
    return {};
}

}  // namespace

Result<ThroughputTable> parse_throughputs(
    std::string_view text, const std::string& name, const std::vector<std::string>& kinds
) {
    auto parsed = json::parse_value(text);
    if (!parsed) return wrong(name, parsed.error().message);
    const auto* const table = parsed->if_object();
    if (table == nullptr) return wrong(name, "no object of kinds of devices");
    RatesByKey rates;
    for (const std::string& kind : kinds) {
        const auto* const found = table->if_contains(kind);
        const auto* const types = found != nullptr ? found->if_object() : nullptr;
        if (types == nullptr) {
            std::vector<std::string> names;
            for (const auto& [key, value] : *table) names.emplace_back(key);
            return wrong(
                name, fmt::format("no kind '{}'; it has {}", kind, fmt::join(names, ", "))
            );
        }
        TRY(add_kind(name, kind, *types, rates, kind == kinds.front()));
    }
    ThroughputTable result{.kinds = kinds};
    for (auto& [key, rate] : rates)
        result.types.push_back({key.name, key.devices, std::move(rate)});
    if (result.types.empty()) return wrong(name, "no job types");
    return result;
}

Result<ThroughputTable> read_throughputs(
    const std::filesystem::path& file, const std::vector<std::string>& kinds
) {
    const std::string text = TRY(config::read_file(file, kThroughputBytesMax));
    return parse_throughputs(text, file.filename().string(), kinds);
}

}  // namespace penstock::sim
