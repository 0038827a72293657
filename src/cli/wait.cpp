// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/outcome.h"
#include "cli/submission.h"
#include "cli/suggestion.h"
#include "cli/task.h"

namespace penstock::cli {
namespace {

// What is waited for: a state, any end, or a ready service.
struct Goal {
    std::string state;  // empty: see below
    bool ready = false;
};

Result<Goal> goal_of(const Invocation& invocation) {
    const std::string wanted = invocation.arguments.value_or("for", "state=SUCCEEDED");
    if (wanted == "ended") return Goal{};
    if (wanted == "ready") return Goal{.ready = true};
    static const std::vector<std::string> kStates = {
        "PENDING",    "MATCHING",  "RESERVED", "STAGING",   "RUNNING",  "PAUSED", "RECOVERING",
        "COLLECTING", "SUCCEEDED", "FAILED",   "CANCELING", "CANCELED", "EXPIRED"
    };
    const std::string state = wanted.starts_with("state=") ? wanted.substr(6) : "";
    for (const std::string& one : kStates)
        if (one == state) return Goal{.state = state};
    const std::string meant = nearest(state, kStates);
    return fail_field(
        ErrorCode::invalid_argument, "--for",
        "'" + wanted + "' cannot be waited for: write state=STATE, ended or ready" +
            (meant.empty() ? "" : " (did you mean state=" + meant + "?)")
    );
}

// The exit code when there is nothing more to wait for.
std::optional<int> verdict(const Goal& goal, const Task& task) {
    const std::string state = text_at(json::encode(task), "state");
    if (goal.ready && can_be_called(task)) return kExitOk;
    if (!goal.state.empty() && state == goal.state) return kExitOk;
    if (!is_terminal(task.state)) return std::nullopt;
    // A state on the way to success was passed when the task has succeeded.
    const bool passed = task.state == TaskState::succeeded && !goal.ready &&
                        goal.state != "FAILED" && goal.state != "CANCELED" &&
                        goal.state != "EXPIRED";
    if (passed || (goal.state.empty() && !goal.ready)) return exit_code_of(task, false);
    // It ended well, though not as was waited for.
    if (task.state == TaskState::succeeded) return info(ErrorCode::conflict).exit_code;
    return exit_code_of(task, false);
}

io::Task<Result<int>> wait_for(
    Invocation* invocation, std::string name, Goal goal, io::Deadline deadline
) {
    client::Client* client = CO_TRY(invocation->client());
    client::Watch watch = client->watch_task(name);
    constexpr Duration kReadinessLookEvery = 1s;  // readiness need not be an event of its own
    while (true) {
        const Task task = CO_TRY(co_await client->task(name));
        if (const std::optional<int> code = verdict(goal, task)) {
            if (invocation->printer.for_people())
                invocation->say("wait.done", reference(task), text_at(json::encode(task), "state"));
            else
                CO_TRY(print_object(*invocation, task_view(), task));
            co_return *code;
        }
        if (deadline.passed()) {
            invocation->tell("wait.timeout", reference(task), text_at(json::encode(task), "state"));
            co_return kExitTimedOut;
        }
        if (goal.ready) {
            co_await io::sleep_until(io::earlier(deadline, io::Deadline::after(kReadinessLookEvery))
            );
            continue;
        }
        const Result<std::optional<client::Watch::Message>> message =
            co_await io::with_deadline(watch.next(), deadline);
        if (!message && !deadline.passed()) co_return std::unexpected(message.error());
        // The events so far tell of states that are past; the task itself is asked after each.
        if (message && !*message)
            co_await io::sleep_until(io::earlier(deadline, io::Deadline::after(kReadinessLookEvery))
            );
    }
}

io::Task<Result<int>> wait(Invocation* invocation) {
    const Goal goal = CO_TRY(goal_of(*invocation));
    const std::optional<Duration> timeout = CO_TRY(duration_flag(invocation->arguments, "timeout"));
    const io::Deadline deadline = timeout ? io::Deadline::after(*timeout) : io::Deadline::none();
    int worst = kExitOk;
    for (const std::string& operand : invocation->arguments.operands) {
        const std::string name = CO_TRY(name_of(operand, "task"));
        const int code = CO_TRY(co_await wait_for(invocation, name, goal, deadline));
        if (worst == kExitOk) worst = code;
    }
    co_return worst;
}

}  // namespace

std::vector<Command> wait_commands() {
    std::vector<Command> commands;
    for (const std::string_view path : {"wait", "task wait"})
        commands.push_back(
            {.path = path,
             .summary = "wait.summary",
             .examples =
                 {"penstock wait task/train --for=state=SUCCEEDED --timeout 30m",
                  "penstock wait chat --for=ready --timeout 5m"},
             .operands = {{.name = "TASK", .repeated = true}},
             .flags =
                 {{.name = "for",
                   .value = "GOAL",
                   .help = "flag.for",
                   .choices = "state=STATE|ended|ready"},
                  {.name = "timeout", .value = "SPAN", .help = "flag.timeout"}},
             .run = wait}
        );
    return commands;
}

}  // namespace penstock::cli
