// SPDX-License-Identifier: Apache-2.0
#include "model/call_settings.h"

#include <algorithm>
#include <set>

#include "json/codec.h"

JSON_INSTANTIATE(penstock::CallSettings);
JSON_INSTANTIATE(penstock::SettingInForce);

namespace penstock {
namespace {

const CallSettingName* find_name(std::string_view name) {
    const auto* found = std::ranges::find(kCallSettings, name, &CallSettingName::name);
    return found == kCallSettings.end() ? nullptr : found;
}

std::string all_names() {
    std::string all;
    for (const CallSettingName& each : kCallSettings)
        all.append(all.empty() ? "" : ", ").append(each.name);
    return all;
}

void check_fixed(const CallSettings& settings, const std::string& at, std::vector<Error>& errors) {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < settings.fixed.size(); ++i) {
        const std::string& name = settings.fixed[i];
        const auto wrong = [&](const std::string& message) {
            errors.push_back(
                {ErrorCode::invalid_argument, "'" + name + "' " + message,
                 at + ".fixed[" + std::to_string(i) + "]"}
            );
        };
        if (find_name(name) == nullptr)
            wrong("is no setting: name one of " + all_names());
        else if (!seen.insert(name).second)
            wrong("is named twice: name it once");
        else if (!setting_text(settings, name))
            wrong("has no value here to be fixed: set it as well, or leave it out");
    }
}

}  // namespace

std::optional<std::string> setting_text(const CallSettings& settings, std::string_view name) {
    const auto word = [](const auto& value) -> std::optional<std::string> {
        using Value = typename std::remove_cvref_t<decltype(value)>::value_type;
        if (!value) return std::nullopt;
        if constexpr (std::is_enum_v<Value>)
            return json::Codec<Value>::name(*value);
        else
            return to_string(*value);
    };
    if (name == "stream_failure") return word(settings.stream_failure);
    if (name == "read_timeout") return word(settings.read_timeout);
    if (name == "cache") return word(settings.cache);
    if (name == "cache_ttl") return word(settings.cache_ttl);
    if (name == "unsupported") return word(settings.unsupported);
    if (name == "undelivered") return word(settings.undelivered);
    return std::nullopt;
}

bool is_fixed(const CallSettings& settings, std::string_view name) {
    return std::ranges::find(settings.fixed, name) != settings.fixed.end();
}

std::vector<Error> check(const CallSettings& settings, const std::string& at) {
    std::vector<Error> errors;
    const auto wrong = [&](const char* field, std::string message) {
        errors.push_back({ErrorCode::invalid_argument, std::move(message), at + "." + field});
    };
    if (settings.read_timeout &&
        (*settings.read_timeout < kReadTimeoutMin || *settings.read_timeout > kReadTimeoutMax))
        wrong(
            "read_timeout", "is " + to_string(*settings.read_timeout) +
                                ", which is not from 1s to 1h: for instance 30s"
        );
    if (settings.cache_ttl &&
        (*settings.cache_ttl < Duration{0} || *settings.cache_ttl > kCacheLivesMax))
        wrong(
            "cache_ttl", "is " + to_string(*settings.cache_ttl) +
                             ", which is not from 0s to 24h: for instance 10m"
        );
    check_fixed(settings, at, errors);
    return errors;
}

std::vector<std::string> settings_in_conflict(
    const CallSettings& fixing, const CallSettings& below
) {
    std::vector<std::string> names;
    for (const CallSettingName& each : kCallSettings)
        if (is_fixed(fixing, each.name) && setting_text(below, each.name))
            names.emplace_back(each.name);
    return names;
}

std::vector<Error> check_below(
    const CallSettings& above, const CallSettings& settings, const std::string& at
) {
    std::vector<Error> errors;
    for (const std::string& name : settings_in_conflict(above, settings))
        errors.push_back(
            {ErrorCode::conflict,
             "is fixed by the project as '" + *setting_text(above, name) +
                 "': leave it out, or let the project fix it no longer",
             at + "." + name}
        );
    return errors;
}

CallSettings settings_of(
    const std::optional<CallSettings>& project, const std::optional<CallSettings>& key
) {
    CallSettings all = project.value_or(CallSettings());
    if (!key) return all;
    const auto take = [](auto& value, const auto& own) {
        if (own) value = own;
    };
    take(all.stream_failure, key->stream_failure);
    take(all.read_timeout, key->read_timeout);
    take(all.cache, key->cache);
    take(all.cache_ttl, key->cache_ttl);
    take(all.unsupported, key->unsupported);
    take(all.undelivered, key->undelivered);
    for (const std::string& name : key->fixed)
        if (!is_fixed(all, name)) all.fixed.push_back(name);
    return all;
}

std::vector<SettingInForce> settings_in_force(
    const std::optional<CallSettings>& project, const std::optional<CallSettings>& key
) {
    const CallSettings all = settings_of(project, key);
    std::vector<SettingInForce> shown;
    for (const CallSettingName& each : kCallSettings) {
        SettingInForce& one = shown.emplace_back();
        one.name = each.name;
        one.value = setting_text(all, each.name).value_or(std::string(each.otherwise));
        one.from = "platform";
        if (project && setting_text(*project, each.name)) one.from = "project";
        if (key && setting_text(*key, each.name)) one.from = "key";
        one.fixed = is_fixed(all, each.name);
    }
    return shown;
}

}  // namespace penstock
