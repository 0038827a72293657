// SPDX-License-Identifier: Apache-2.0
#include "dispatch/replay.h"

#include <boost/json.hpp>
#include <optional>

#include "dispatch/decision_log.h"
#include "json/json.h"

namespace penstock::dispatch {
namespace {

std::optional<std::string> first_difference(
    const json::Value& was, const json::Value& is, const std::string& path
) {
    if (was.is_object() && is.is_object()) {
        for (const auto& [key, value] : was.as_object()) {
            const std::string inner = path + "." + std::string(key);
            const json::Value* other = is.as_object().if_contains(key);
            if (!other) return inner + ": " + json::print_value(value) + " was, nothing is";
            if (auto found = first_difference(value, *other, inner)) return found;
        }
        for (const auto& [key, value] : is.as_object())
            if (!was.as_object().contains(key))
                return path + "." + std::string(key) + ": nothing was, " +
                       json::print_value(value) + " is";
        return std::nullopt;
    }
    if (was.is_array() && is.is_array()) {
        const json::Array &old = was.as_array(), &now = is.as_array();
        for (std::size_t i = 0; i < std::min(old.size(), now.size()); ++i)
            if (auto found = first_difference(old[i], now[i], path + "[" + std::to_string(i) + "]"))
                return found;
        if (old.size() == now.size()) return std::nullopt;
        return path + ": " + std::to_string(old.size()) + " elements were, " +
               std::to_string(now.size()) + " are";
    }
    if (was == is) return std::nullopt;
    return path + ": " + json::print_value(was) + " was, " + json::print_value(is) + " is";
}

}  // namespace

Replay replay(const DecisionRecord& record) {
    Engine engine(record.state);
    Replay replay{.answer = engine.decide(record.question)};
    const std::string was = json::print(record.answer), is = json::print(replay.answer);
    replay.identical = was == is && digest_of(replay.answer) == record.decision.answer_sha256;
    if (replay.identical) return replay;
    const std::optional<std::string> difference =
        first_difference(json::encode(record.answer), json::encode(replay.answer), "answer");
    replay.difference =
        difference ? *difference
                   : "the recorded answer is not the one whose SHA-256 was recorded with it";
    return replay;
}

}  // namespace penstock::dispatch
