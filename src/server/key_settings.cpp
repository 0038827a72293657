// SPDX-License-Identifier: Apache-2.0
#include "server/key_settings.h"

namespace penstock::server {
namespace {

constexpr std::size_t kKeysNamedMax = 5;

// "'ci', 'app' and 3 more", of the keys that set what `settings` fixes; empty: none does.
std::string keys_in_conflict(
    const Platform& platform, const Project& project, const CallSettings& settings
) {
    std::string names;
    std::size_t found = 0;
    for (const access::StoredKey* stored : platform.directory.keys_of(project.organisation_id)) {
        const Key& key = stored->key;
        if (key.project_id != project.id || key.revoked_at || !key.settings ||
            settings_in_conflict(settings, *key.settings).empty())
            continue;
        if (++found <= kKeysNamedMax) {
            names += names.empty() ? "'" : ", '";
            names += key.name + "'";
        }
    }
    if (found > kKeysNamedMax) names += " and " + std::to_string(found - kKeysNamedMax) + " more";
    return names;
}

}  // namespace

std::expected<void, Failure> check_key_settings(
    const Project& project, const CallSettings& settings
) {
    std::vector<Error> errors = check(settings, "settings");
    if (errors.empty() && project.settings)
        errors = check_below(*project.settings, settings, "settings");
    if (!errors.empty()) return std::unexpected(Failure(std::move(errors)));
    return {};
}

std::expected<void, Failure> check_project_settings(
    const Platform& platform, const Project& project, const CallSettings& settings
) {
    std::vector<Error> errors = check(settings, "settings");
    if (!errors.empty()) return std::unexpected(Failure(std::move(errors)));
    const std::string keys = keys_in_conflict(platform, project, settings);
    if (keys.empty()) return {};
    return std::unexpected(Failure(Error{
        ErrorCode::conflict,
        "fixes what these keys set for themselves: " + keys +
            "; let them inherit it first (penstock key update KEY --… inherit)",
        "settings.fixed"
    }));
}

std::optional<CallSettings> stored_settings(const CallSettings& settings) {
    if (settings == CallSettings()) return std::nullopt;
    return settings;
}

Key with_settings(const Platform& platform, Key key) {
    const Project* project = platform.directory.find_project(key.project_id);
    key.settings_in_force = settings_in_force(
        project == nullptr ? std::optional<CallSettings>() : project->settings, key.settings
    );
    return key;
}

}  // namespace penstock::server
