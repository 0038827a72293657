// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cli/arguments.h"
#include "cli/command.h"

namespace penstock::cli {

struct HelpWanted {
    std::string path;  // "", "task" or "task create"
};
struct CommandLine {
    const Command* command = nullptr;
    Arguments arguments;
};
// A mistake of usage: what is wrong, what was probably meant, and whose help tells more.
struct UsageError {
    std::string message;
    std::string path;
};

// Sorts the words behind the program's name. Global flags may stand before the command.
std::variant<CommandLine, HelpWanted, UsageError> parse_command_line(
    const std::vector<std::string>& words, Language language
);

// Whether the word begins a command of this module ("task", "run", "--lang"), not a role.
bool is_command_word(std::string_view word);

}  // namespace penstock::cli
