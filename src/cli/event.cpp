// SPDX-License-Identifier: Apache-2.0
#include "cli/event.h"

#include <boost/json.hpp>

#include "cli/invocation.h"

namespace penstock::cli {

const View& event_view() {
    static const View kView{
        .plural = "events",
        .singular = "event",
        .columns =
            {
                number_column("CURSOR", "cursor"),
                text_column("SUBJECT", "subject"),
                text_column("TYPE", "type"),
                text_column("STATE", "state"),
                text_column("REASON", "reason"),
                text_column("ACTOR", "actor"),
                amount_column("COST", "cost"),
                text_column("MESSAGE", "message"),
                wide(text_column("ATTEMPT", "attempt_id")),
                age_column("AGE", "at"),
            },
        .id = "cursor",
    };
    return kView;
}

std::vector<Flag> timeline_flags() {
    return {
        {.name = "limit", .value = "N", .help = "flag.limit"}, {.name = "all", .help = "flag.all"}
    };
}

io::Task<Result<int>> print_timeline(Invocation* invocation, std::string path) {
    const std::int64_t limit =
        CO_TRY(integer_flag(invocation->arguments, "limit")).value_or(kListLimitDefault);
    client::Client* client = CO_TRY(invocation->client());
    EventPage page = CO_TRY(co_await client->list_all<EventPage>(std::move(path), {}));
    const std::int64_t extra = invocation->has("all") ? 0 : std::ssize(page.events) - limit;
    if (extra > 0) page.events.erase(page.events.begin(), page.events.begin() + extra);
    CO_TRY(invocation->printer.list(event_view(), json::encode(page)));
    co_return kExitOk;
}

io::Task<Result<int>> print_events(Invocation* invocation, client::Watch watch) {
    bool first = true;
    while (true) {
        const std::optional<Event> event = CO_TRY(co_await watch.next_as<Event>());
        if (!event) co_return kExitOk;
        CO_TRY(invocation->printer.row(event_view(), json::encode(*event), first));
        invocation->terminal.flush();
        first = false;
    }
}

namespace {

io::Task<Result<int>> list(Invocation* invocation) {
    co_return co_await print_timeline(invocation, "/v1/events");
}

io::Task<Result<int>> watch(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::optional<std::int64_t> since = CO_TRY(integer_flag(invocation->arguments, "since"));
    co_return co_await print_events(invocation, client->watch_events(since.value_or(-1)));
}

}  // namespace

std::vector<Command> event_commands() {
    return {
        {.path = "event list",
         .summary = "event.list.summary",
         .examples = {"penstock event list --limit 20", "penstock event list --all -o jsonl"},
         .flags = timeline_flags(),
         .run = list},
        {.path = "event watch",
         .summary = "event.watch.summary",
         .examples = {"penstock event watch", "penstock event watch --since 1200 -o jsonl"},
         .flags = {{.name = "since", .value = "CURSOR", .help = "flag.since_cursor"}},
         .run = watch},
    };
}

}  // namespace penstock::cli
