// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <vector>

#include "cli/column.h"
#include "cli/command.h"
#include "model/call_settings.h"

// Flags and a column for how the token calls of a key or project behave.
namespace penstock::cli {

std::vector<Flag> call_settings_flags();
// What the flags say, over what was set before; nothing where they say nothing.
Result<std::optional<CallSettings>> call_settings_from_flags(
    const Arguments& given, const std::optional<CallSettings>& before
);

// "stream-failure=continue cache=on(project) fixed=cache": of a key, whatever holds and is not the
// platform's own; of a project, what it sets.
std::string key_settings_cell(const json::Value& row, const Look& look);
std::string project_settings_cell(const json::Value& row, const Look& look);

}  // namespace penstock::cli
