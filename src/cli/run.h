// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cli/command.h"

namespace penstock::cli {
std::vector<Command> run_commands();  // run, plan, task create, task plan
}  // namespace penstock::cli
