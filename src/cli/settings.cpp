// SPDX-License-Identifier: Apache-2.0
#include "cli/settings.h"

#include <algorithm>
#include <cctype>

#include "config/settings.h"

namespace penstock::cli {
namespace {

constexpr std::size_t kKeyFileBytesMax = 4096;
constexpr int kParentFoldersMax = 64;  // searched upwards for the project file

std::string trimmed(std::string text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
        text.pop_back();
    return text;
}
std::string without_slash(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url;
}

// .penstock.yaml of the working folder or the nearest one above it; empty when there is none.
std::filesystem::path find_project_file(std::filesystem::path folder) {
    std::error_code failed;
    for (int i = 0; i < kParentFoldersMax; ++i) {
        const std::filesystem::path file = folder / ".penstock.yaml";
        if (std::filesystem::exists(file, failed)) return file;
        if (folder == folder.parent_path()) break;
        folder = folder.parent_path();
    }
    return {};
}

struct Layers {
    const Arguments& arguments;
    const Surroundings& surroundings;
    std::filesystem::path project_path;
    ProjectFile project;
    std::filesystem::path user_path;
    ConfigFile user;
    ConfigFile system;

    Setting flag(std::string_view name) const {
        const std::optional<std::string> value = arguments.value(name);
        return value ? Setting{*value, "--" + std::string(name)} : Setting{};
    }
    Setting variable(const std::string& name) const {
        const std::string value = surroundings.variable(name);
        return value.empty() ? Setting{} : Setting{value, name};
    }
    Setting project_value(const std::optional<std::string>& value) const {
        return value ? Setting{*value, project_path.string()} : Setting{};
    }
    Setting user_value(const std::optional<std::string>& value) const {
        return value ? Setting{*value, user_path.string()} : Setting{};
    }
    Setting system_value(const std::optional<std::string>& value) const {
        return value ? Setting{*value, surroundings.system_file.string()} : Setting{};
    }
};

Setting first_set(std::initializer_list<Setting> candidates) {
    for (const Setting& candidate : candidates)
        if (candidate.is_set()) return candidate;
    return {};
}

Setting language_of(const Layers& layers) {
    Setting language = first_set(
        {layers.flag("lang"), layers.variable("PENSTOCK_LANG"),
         layers.project_value(layers.project.lang), layers.user_value(layers.user.lang),
         layers.system_value(layers.system.lang)}
    );
    if (language.is_set()) return language;
    for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
        const Setting locale = layers.variable(name);
        if (locale.is_set()) return {locale.value.starts_with("zh") ? "zh" : "en", locale.source};
    }
    return {"en", "default"};
}

const ContextEntry* named(const std::vector<ContextEntry>& contexts, const std::string& name) {
    const auto found = std::ranges::find(contexts, name, &ContextEntry::name);
    return found == contexts.end() ? nullptr : &*found;
}

Result<void> resolve_target(const Layers& layers, Settings& settings) {
    settings.context = first_set(
        {layers.flag("context"), layers.variable("PENSTOCK_CONTEXT"),
         layers.project_value(layers.project.context),
         layers.user_value(layers.user.current_context),
         layers.system_value(layers.system.current_context)}
    );
    const ContextEntry* context = nullptr;
    if (settings.context.is_set()) {
        context = named(settings.contexts, settings.context.value);
        if (context == nullptr)
            return fail_field(
                ErrorCode::invalid_argument, settings.context.source,
                "there is no context '" + settings.context.value + "': see penstock context list"
            );
    }
    const std::string from = context == nullptr ? "" : "context " + context->name;
    const auto of_context = [&](const std::string& value) {
        return value.empty() ? Setting{} : Setting{value, from};
    };
    settings.endpoint = first_set(
        {layers.flag("endpoint"), layers.variable("PENSTOCK_ENDPOINT"),
         context == nullptr ? Setting{} : of_context(context->endpoint)}
    );
    // An endpoint that was stated belongs to whichever context has it; a foreign one gets no key.
    if (settings.endpoint.is_set() &&
        (context == nullptr ||
         without_slash(context->endpoint) != without_slash(settings.endpoint.value))) {
        const auto same = std::ranges::find_if(settings.contexts, [&](const ContextEntry& entry) {
            return without_slash(entry.endpoint) == without_slash(settings.endpoint.value);
        });
        context = same == settings.contexts.end() ? nullptr : &*same;
    }
    settings.project = first_set(
        {layers.flag("project"), layers.variable("PENSTOCK_PROJECT"),
         layers.project_value(layers.project.project),
         context == nullptr ? Setting{} : of_context(context->project.value_or(""))}
    );
    if (context != nullptr) settings.ca_file = of_context(context->ca_file.value_or(""));
    settings.key = layers.variable("PENSTOCK_TOKEN");
    if (settings.key.is_set()) return {};
    const Setting key_file = layers.variable("PENSTOCK_TOKEN_FILE");
    if (key_file.is_set()) {
        TRY(check_credentials_mode(key_file.value));
        settings.key = {
            trimmed(TRY(config::read_file(key_file.value, kKeyFileBytesMax))), key_file.value
        };
        return {};
    }
    if (context == nullptr) return {};
    const std::filesystem::path file = layers.surroundings.config_home / "credentials";
    const CredentialsFile credentials = TRY(load_credentials(file));
    const auto found = credentials.keys.find(context->credential.value_or(context->name));
    if (found != credentials.keys.end()) settings.key = {found->second, file.string()};
    return {};
}

}  // namespace

Surroundings process_surroundings() {
    std::error_code failed;
    return {
        .variable = [](const std::string& name) { return config::environment(name); },
        .config_home = config::config_home(),
        .system_file = "/etc/penstock/config.yaml",
        .working_folder = std::filesystem::current_path(failed),
    };
}

Result<Settings> resolve_settings(const Arguments& arguments, const Surroundings& surroundings) {
    const std::string stated = surroundings.variable("PENSTOCK_CONFIG");
    Layers layers{.arguments = arguments, .surroundings = surroundings};
    layers.user_path =
        stated.empty() ? surroundings.config_home / "config.yaml" : std::filesystem::path(stated);
    layers.project_path = find_project_file(surroundings.working_folder);
    layers.user = TRY(load_config(layers.user_path));
    layers.system = TRY(load_config(surroundings.system_file));
    if (!layers.project_path.empty()) layers.project = TRY(load_project(layers.project_path));

    Settings settings;
    settings.contexts = layers.user.contexts;
    for (const ContextEntry& entry : layers.system.contexts)
        if (named(settings.contexts, entry.name) == nullptr) settings.contexts.push_back(entry);
    settings.language = language_of(layers);
    settings.output = first_set(
        {layers.flag("output"),
         layers.variable("PENSTOCK_OUTPUT"),
         layers.project_value(layers.project.output),
         layers.user_value(layers.user.output),
         layers.system_value(layers.system.output),
         {"table", "default"}}
    );
    if (arguments.has("json")) settings.output = {"json", "--json"};
    const std::string no_input = surroundings.variable("PENSTOCK_NO_INPUT");
    settings.no_input = arguments.has("no-input") || (!no_input.empty() && no_input != "0") ||
                        layers.user.no_input.value_or(layers.system.no_input.value_or(false));
    TRY(resolve_target(layers, settings));
    return settings;
}

Result<void> need_endpoint(const Settings& settings) {
    if (settings.endpoint.is_set()) return {};
    return fail(
        ErrorCode::invalid_argument,
        "no platform is configured: start one here with `penstock up`, name one with `penstock "
        "context create "
        "NAME --endpoint URL`, or set PENSTOCK_ENDPOINT and PENSTOCK_TOKEN"
    );
}

}  // namespace penstock::cli
