// SPDX-License-Identifier: Apache-2.0
#include "sim/site_strategy.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "json/json.h"

namespace penstock::sim {
namespace {

constexpr std::string_view kExample = ": name a strategy, or weights as in cost=0.5+green=0.5";

}  // namespace

Result<Strategy> site_strategy(std::string_view text) {
    const auto wrong = [&](const std::string& why) {
        return fail(
            ErrorCode::invalid_argument,
            "'" + std::string(text) + "' " + why + std::string(kExample)
        );
    };
    if (!text.contains('=')) {
        Result<Strategy> named = strategy_named(text);
        return named ? named : wrong("is no strategy");
    }
    json::Object weights;
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view part = rest.substr(0, rest.find('+'));
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        const std::size_t at = part.find('=');
        const Result<json::Value> weight =
            json::parse_value(at == std::string_view::npos ? "" : part.substr(at + 1));
        if (!weight || !weight->is_number()) return wrong("has a weight that is no number");
        weights[std::string(part.substr(0, at))] = *weight;
    }
    const Result<Strategy> strategy = json::decode<Strategy>(json::Value(std::move(weights)));
    if (!strategy) return wrong("is no mixture (" + strategy.error().message + ")");
    return *strategy;
}

}  // namespace penstock::sim
