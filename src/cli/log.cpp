// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>

#include "cli/follow.h"
#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/outcome.h"
#include "cli/task.h"

namespace penstock::cli {
namespace {

constexpr int kLogPagesMax = 100'000;

struct LogWish {
    std::string task;
    std::optional<std::int64_t> item;
    std::optional<Time> from;
    std::optional<std::int64_t> tail;
};

Result<LogWish> wish_of(const Invocation& invocation) {
    LogWish wish;
    wish.task = TRY(name_of(invocation.operand(0), "task"));
    wish.item = TRY(integer_flag(invocation.arguments, "item"));
    wish.tail = TRY(integer_flag(invocation.arguments, "tail"));
    if (const std::optional<Duration> since = TRY(duration_flag(invocation.arguments, "since")))
        wish.from = invocation.clock.now() - *since;
    return wish;
}

// All lines that are wanted now; the cursor of the last line seen goes to `cursor`.
io::Task<Result<std::vector<LogLine>>> read_lines(
    Invocation* invocation, const LogWish* wish, std::int64_t* cursor
) {
    client::Client* client = CO_TRY(invocation->client());
    std::vector<LogLine> lines;
    client::LogQuery query{.item = wish->item};
    for (int pages = 0; pages < kLogPagesMax; ++pages) {
        LogPage page = CO_TRY(co_await client->task_logs(wish->task, query));
        for (LogLine& line : page.lines) {
            *cursor = std::max(*cursor, line.cursor);
            if (!wish->from || line.at >= *wish->from) lines.push_back(std::move(line));
        }
        if (page.lines.empty() || !page.next_page_token) break;
        query.since = *cursor;
    }
    const auto wanted = static_cast<std::size_t>(wish->tail.value_or(INT64_MAX));
    if (lines.size() > wanted)
        lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(wanted));
    co_return lines;
}

// Never silently empty: says in which state the task is and why.
io::Task<Result<void>> explain_silence(
    Invocation* invocation, const std::string* name, bool any_before
) {
    client::Client* client = CO_TRY(invocation->client());
    const Task task = CO_TRY(co_await client->task(*name));
    const json::Value value = json::encode(task);
    const std::string state = text_at(value, "state");
    std::string why = invocation->language == Language::zh && !task.message_zh.empty()
                          ? task.message_zh
                          : task.message;
    if (why.empty()) {
        const std::string reason = text_at(value, "reason");
        why = std::string(find_text(invocation->language, "reason." + reason)
                              .value_or(reason == "none" ? "" : reason));
    }
    if (any_before)
        invocation->tell("logs.none_since", state);
    else if (is_terminal(task.state))
        invocation->tell("logs.none_ever", state, why);
    else
        invocation->tell("logs.none_yet", state, why);
    co_return Result<void>();
}

Result<void> print_lines(const Invocation& invocation, const std::vector<LogLine>& lines) {
    static const View kView{
        .plural = "lines",
        .singular = "line",
        .columns =
            {number_column("CURSOR", "cursor"), text_column("AT", "at"),
             number_column("ITEM", "item"), number_column("ATTEMPT", "attempt"),
             text_column("STREAM", "stream"), text_column("TEXT", "text")},
        .id = "cursor",
    };
    if (!invocation.printer.for_people()) {
        LogPage page;
        page.lines = lines;
        page.total = static_cast<std::int64_t>(lines.size());
        return invocation.printer.list(kView, json::encode(page));
    }
    const bool items =
        std::ranges::any_of(lines, [](const LogLine& line) { return line.item > 0; }) &&
        !invocation.has("item");
    for (const LogLine& line : lines)
        invocation.terminal.print(log_line(line, invocation.has("timestamps"), items));
    return {};
}

io::Task<Result<int>> logs(Invocation* invocation) {
    const LogWish wish = CO_TRY(wish_of(*invocation));
    std::int64_t cursor = -1;
    const std::vector<LogLine> lines = CO_TRY(co_await read_lines(invocation, &wish, &cursor));
    CO_TRY(print_lines(*invocation, lines));
    invocation->terminal.flush();
    if (lines.empty()) CO_TRY(co_await explain_silence(invocation, &wish.task, cursor >= 0));
    if (!invocation->has("follow")) co_return kExitOk;

    Follower follower(
        invocation, wish.task,
        {.events = lines.empty(),
         .timestamps = invocation->has("timestamps"),
         .log_cursor = cursor,
         .item = wish.item}
    );
    const FollowEnd end = CO_TRY(co_await follower.run());
    if (end == FollowEnd::detached) {
        invocation->tell("follow.detached", "task/" + wish.task);
        invocation->tell("follow.resume", "task/" + wish.task);
        co_return kExitTaskNotFinished;
    }
    client::Client* client = CO_TRY(invocation->client());
    const Task task = CO_TRY(co_await client->task(wish.task));
    show_outcome(*invocation, task);
    co_return exit_code_of(task, false);
}

}  // namespace

std::vector<Command> log_commands() {
    std::vector<Command> commands;
    for (const std::string_view path : {"logs", "task logs"})
        commands.push_back(
            {.path = path,
             .summary = "logs.summary",
             .examples =
                 {"penstock logs task/train", "penstock logs train -f",
                  "penstock logs train --since 10m --timestamps", "penstock logs frames --item 12"},
             .operands = {{.name = "TASK"}},
             .flags =
                 {{.name = "follow", .letter = 'f', .help = "flag.follow"},
                  {.name = "since", .value = "SPAN", .help = "flag.since"},
                  {.name = "tail", .value = "N", .help = "flag.tail"},
                  {.name = "timestamps", .help = "flag.timestamps"},
                  {.name = "item", .value = "N", .help = "flag.item"}},
             .run = logs}
        );
    return commands;
}

}  // namespace penstock::cli
