// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cli/message.h"

namespace penstock::cli {

// The help of a path: "" the program, "task" a noun, "task create" a command; empty for any other.
// Examples stand first, since they are what is read.
std::string help_text(std::string_view path, Language language);

}  // namespace penstock::cli
