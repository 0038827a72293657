// SPDX-License-Identifier: Apache-2.0
#include "cli/call_settings.h"

#include <algorithm>
#include <boost/json.hpp>

#include "cli/json_path.h"

namespace penstock::cli {
namespace {

constexpr std::string_view kInherit = "inherit";

// "cache_ttl" is --cache-ttl.
std::string flag_of(std::string_view name) {
    std::string flag(name);
    std::ranges::replace(flag, '_', '-');
    return flag;
}
std::string name_of_flag(std::string flag) {
    std::ranges::replace(flag, '-', '_');
    return flag;
}

void add(std::string& text, const std::string& name, const std::string& value) {
    if (!value.empty()) text.append(text.empty() ? "" : " ").append(name).append("=" + value);
}

bool is_known(std::string_view name) {
    return std::ranges::find(kCallSettings, name, &CallSettingName::name) != kCallSettings.end();
}

Result<std::string> setting_named(const std::string& flag, const std::string& word) {
    std::string name = name_of_flag(word);
    if (is_known(name)) return name;
    std::string all;
    for (const CallSettingName& each : kCallSettings)
        all += (all.empty() ? "" : ", ") + flag_of(each.name);
    return fail_field(
        ErrorCode::invalid_argument, "--" + flag, "'" + word + "' is no setting: name one of " + all
    );
}

}  // namespace

std::vector<Flag> call_settings_flags() {
    return {
        {.name = "stream-failure",
         .value = "WORD",
         .help = "flag.stream_failure",
         .choices = "terminate|continue|inherit"},
        {.name = "read-timeout", .value = "SPAN", .help = "flag.read_timeout"},
        {.name = "cache", .value = "WORD", .help = "flag.cache", .choices = "off|on|any|inherit"},
        {.name = "cache-ttl", .value = "SPAN", .help = "flag.cache_ttl"},
        {.name = "unsupported",
         .value = "WORD",
         .help = "flag.unsupported",
         .choices = "refuse|drop|inherit"},
        {.name = "undelivered",
         .value = "WORD",
         .help = "flag.undelivered",
         .choices = "free|prompt|inherit"},
        {.name = "fix", .value = "SETTING", .help = "flag.fix", .repeated = true},
        {.name = "unfix", .value = "SETTING", .help = "flag.unfix", .repeated = true},
    };
}

Result<std::optional<CallSettings>> call_settings_from_flags(
    const Arguments& given, const std::optional<CallSettings>& before
) {
    json::Object settings = json::encode(before.value_or(CallSettings())).as_object();
    bool said = false;
    for (const CallSettingName& each : kCallSettings) {
        const std::optional<std::string> value = given.value(flag_of(each.name));
        if (!value) continue;
        said = true;
        if (*value == kInherit)
            settings.erase(each.name);
        else
            settings[each.name] = *value;
    }
    std::vector<std::string> fixed = before.value_or(CallSettings()).fixed;
    for (const std::string& word : given.values("fix")) {
        said = true;
        const std::string name = TRY(setting_named("fix", word));
        if (std::ranges::find(fixed, name) == fixed.end()) fixed.push_back(name);
    }
    for (const std::string& word : given.values("unfix")) {
        said = true;
        std::erase(fixed, TRY(setting_named("unfix", word)));
    }
    if (!said) return std::optional<CallSettings>();
    json::Array names;
    for (const std::string& name : fixed) names.push_back(json::Value(name));
    settings["fixed"] = std::move(names);
    return std::optional(TRY(json::decode<CallSettings>(settings)));
}

std::string key_settings_cell(const json::Value& row, const Look&) {
    std::string text;
    const json::Value* rows = at_path(row, "settings_in_force");
    if (rows == nullptr || !rows->is_array()) return text;
    for (const json::Value& one : rows->get_array()) {
        const std::string from = text_at(one, "from");
        if (from == "platform") continue;
        std::string value = text_at(one, "value");
        const bool fixed = text_at(one, "fixed") == "true";
        if (from != "key" || fixed)
            value += "(" + (from == "key" ? "" : from) + (from != "key" && fixed ? ", " : "") +
                     (fixed ? "fixed" : "") + ")";
        add(text, flag_of(text_at(one, "name")), value);
    }
    return text;
}

std::string project_settings_cell(const json::Value& row, const Look&) {
    std::string text;
    for (const CallSettingName& each : kCallSettings)
        add(text, flag_of(each.name), text_at(row, "settings." + std::string(each.name)));
    std::string fixed = text_at(row, "settings.fixed");
    std::ranges::replace(fixed, '_', '-');
    add(text, "fixed", fixed);
    return text;
}

}  // namespace penstock::cli
