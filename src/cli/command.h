// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/arguments.h"
#include "cli/message.h"
#include "io/task.h"

namespace penstock::cli {

struct Invocation;

struct Flag {
    std::string_view name;        // "max-price"
    char letter = 0;              // 'f'; 0: none
    std::string_view value = {};  // what help calls the value: "FILE"; empty: a switch
    MessageKey help;
    bool repeated = false;
    std::string_view choices = {};  // "table|json", for completion and help
};

struct Operand {
    std::string_view name;  // "TASK"
    bool required = true;
    bool repeated = false;  // the last one only
};

// What a command offers besides its own flags.
enum class Answer : std::uint8_t {
    none,    // nothing to format
    object,  // output flags
    list,    // output flags, and --sort --filter --limit --all
};

// One command, as data: parsing, help and completion are made from it.
struct Command {
    std::string_view path;  // "task create", "run"
    MessageKey summary;
    std::vector<std::string_view> examples = {};
    std::vector<Operand> operands = {};
    std::vector<Flag> flags = {};
    Answer answer = Answer::object;
    bool tail = false;  // takes "-- COMMAND ARGUMENT…"
    // Runs it; the result is the exit code.
    io::Task<Result<int>> (*run)(Invocation* invocation) = nullptr;
};

struct Noun {
    std::string_view name;
    std::string_view alias;  // empty: none
    MessageKey summary;
};

// All of them, in the order of the help.
const std::vector<Command>& commands();
const std::vector<Noun>& nouns();
const std::vector<Flag>& global_flags();
const std::vector<Flag>& output_flags();
const std::vector<Flag>& list_flags();
// The flags of a command: its own, those of its answer, the global ones.
std::vector<Flag> all_flags(const Command& command);
// By its path, "task list"; nullptr when there is none.
const Command* find_command(std::string_view path);

}  // namespace penstock::cli
