// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cli/command.h"

namespace penstock::cli {
std::vector<Command> task_commands();     // task list, get, cancel, retry, events; ps, stop
std::vector<Command> log_commands();      // logs, task logs
std::vector<Command> wait_commands();     // wait, task wait
std::vector<Command> explain_commands();  // explain, task explain
std::vector<Command> output_commands();   // task outputs
std::vector<Command> profile_commands();  // profile, task profile
}  // namespace penstock::cli
