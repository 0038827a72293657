// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/settings.h"
#include "cli/terminal.h"
#include "client/client.h"
#include "io/event.h"
#include "io/runtime.h"

namespace penstock::cli {

// Exit codes beside those of base/result.h.
constexpr int kExitOk = 0;
constexpr int kExitTimedOut = 8;
constexpr int kExitRefused = 9;  // by a rule on trust, residency or providers
constexpr int kExitTaskFailed = 100;
constexpr int kExitTaskNotFinished = 101;
constexpr int kExitTaskCanceled = 103;

// One run of one command: what was asked, and all it may use. Lives until the command has ended.
struct Invocation {
    const Command& command;
    const Arguments& arguments;
    const Terminal& terminal;
    const Surroundings& surroundings;
    const Settings& settings;
    io::Runtime& runtime;
    Clock& clock;
    Random& random;
    Language language;
    Printer printer;
    bool quiet = false;
    int verbosity = 0;  // -v, -vv
    std::unique_ptr<client::Client> client_made = {};

    // The platform; made at the first call. Fails when none is configured.
    Result<client::Client*> client();

    bool has(std::string_view flag) const { return arguments.has(flag); }
    std::string operand(std::size_t index) const { return arguments.operand(index); }

    // Prose on stderr in the person's language; silent with --quiet.
    template <class... Args>
    void say(MessageKey key, const Args&... args) const {
        if (!quiet) terminal.say(format(language, key, args...));
    }
    // As say(), also with --quiet: what must be seen.
    template <class... Args>
    void tell(MessageKey key, const Args&... args) const {
        terminal.say(format(language, key, args...));
    }
};

// The name behind "task/" or "nodes/"; a name of another noun is not_found ("wrong object").
Result<std::string> name_of(std::string_view text, std::string_view noun);

// Flags as numbers and times, with errors that name the flag.
Result<std::optional<std::int64_t>> integer_flag(const Arguments& arguments, std::string_view flag);
Result<std::optional<Duration>> duration_flag(const Arguments& arguments, std::string_view flag);

// Asks [y/N]. Without a terminal, or with --no-input, the answer must come as --yes: an error says
// so.
Result<bool> confirmed(const Invocation& invocation, MessageKey question);

// --sort, --filter and --limit as the API wants them.
Result<client::ListQuery> list_query(const Invocation& invocation);
constexpr std::int64_t kListLimitDefault = 50;

// GET `path` with the list flags (and `more`, which only this list takes), all pages with --all,
// and print it.
template <class Page>
io::Task<Result<int>> print_list(
    Invocation* invocation, std::string path, const View* view, http::Query more = {}
);

// Prints one object of a noun.
template <class T>
Result<int> print_object(const Invocation& invocation, const View& view, const T& value) {
    TRY(invocation.printer.object(view, json::encode(value)));
    return kExitOk;
}

}  // namespace penstock::cli
