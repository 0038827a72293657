// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>

#include "server/api.h"

// Settings of keys and projects: what may be set where, and what then holds.
namespace penstock::server {

// Of a key of `project`: well formed, and nothing that the project fixes.
std::expected<void, Failure> check_key_settings(
    const Project& project, const CallSettings& settings
);
// Of a project: well formed, and nothing fixed that one of its keys has set for itself.
std::expected<void, Failure> check_project_settings(
    const Platform& platform, const Project& project, const CallSettings& settings
);
// Whose absence and whose emptiness say the same.
std::optional<CallSettings> stored_settings(const CallSettings& settings);
// The key with what holds for its calls.
Key with_settings(const Platform& platform, Key key);

}  // namespace penstock::server
