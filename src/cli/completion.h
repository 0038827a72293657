// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "cli/message.h"

namespace penstock::cli {

// The completion script for bash, zsh or fish, made from the command tree. Names of tasks, nodes
// and the like are asked of the platform when the key is pressed, for at most kCompletionWaitMax.
Result<std::string> completion_script(std::string_view shell, Language language);

// The name of the hidden command the scripts call for names.
constexpr std::string_view kCompleteCommand = "__complete";

}  // namespace penstock::cli
