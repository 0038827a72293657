// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/config_file.h"
#include "cli/settings.h"
#include "cli/terminal.h"

// The command line as the program's main() sees it. The roles (up, server, gateway, agent) are
// main's.
namespace penstock::cli {

// Whether the first word belongs to the command line: a noun, a command, help, or a global flag.
bool is_cli_command(std::string_view first_word);

// Every first word, for "did you mean" beside the roles.
std::vector<std::string> cli_words();

// Runs the command in `words` (without the program's name) and returns the exit code. Blocks; makes
// its own Runtime, and takes SIGINT only while it follows a task.
int run_cli(
    const std::vector<std::string>& words, const Terminal& terminal,
    const Surroundings& surroundings
);
// The same on the process's own streams and environment.
int run_cli(int argc, const char* const* argv);

}  // namespace penstock::cli
