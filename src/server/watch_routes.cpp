// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "http/problem.h"
#include "http/sse.h"
#include "server/lists.h"
#include "server/routes.h"

// Streams of server-sent events. `id:` is the cursor from which a client goes on after a cut.
namespace penstock::server {
namespace {

constexpr Duration kHeartbeatSpan = 15s;
constexpr std::size_t kBatchMax = 500;
constexpr Duration kLogSettleSpan =
    1500ms;  // after the end of a task its last lines may still come

struct EventWatch {
    Platform* platform = nullptr;
    io::Pool* pool = nullptr;
    std::string subject;  // empty: all of the tenant
    OrganisationId tenant;
    std::optional<TaskId> task;  // ends with this task
    std::int64_t cursor = 0;
};

Result<std::int64_t> start_cursor(const http::Request& request, std::int64_t otherwise) {
    const std::string_view resumed = request.headers.get("Last-Event-ID");
    if (resumed.empty()) return query_integer(request, "since", otherwise, 0, INT64_MAX);
    std::int64_t value = 0;
    const auto [end, error] =
        std::from_chars(resumed.data(), resumed.data() + resumed.size(), value);
    if (error != std::errc() || end != resumed.data() + resumed.size() || value < 0)
        return fail_field(
            ErrorCode::invalid_argument, "Last-Event-ID",
            "is not a cursor of this stream: leave it out"
        );
    return value;
}

// Older events than memory keeps, from the store.
io::Task<Result<std::vector<Event>>> stored_events(EventWatch* watch) {
    storage::EventFilter filter{
        .after_seq = watch->cursor,
        .subject = watch->subject,
        .tenant = to_string(watch->tenant),
        .limit = kBatchMax
    };
    storage::Store* store = &watch->platform->store();
    const auto page = co_await watch->pool->run([store, &filter] { return store->events(filter); });
    if (!page) co_return std::unexpected(page.error());
    std::vector<Event> events;
    for (const storage::AppendEvent& row : page->rows)
        events.push_back(CO_TRY(json::parse<Event>(row.body)));
    co_return events;
}

io::Task<void> watch_events(std::shared_ptr<EventWatch> watch, http::BodyWriter writer) {
    http::SseWriter out(writer);
    Platform& platform = *watch->platform;
    const auto accept = [&](const Event& event) {
        return event.organisation_id == watch->tenant &&
               (watch->subject.empty() || event.subject == watch->subject);
    };
    if (!co_await out.comment("penstock events")) co_return;
    while (!platform.stopping()) {
        EventLog::Slice slice = platform.events.after(watch->cursor, accept, kBatchMax);
        if (slice.from_store) {
            Result<std::vector<Event>> older = co_await stored_events(watch.get());
            if (!older) co_return writer.abort();
            if (!older->empty()) slice = {.events = std::move(*older), .last = 0};
            if (!slice.events.empty()) slice.last = slice.events.back().cursor;
        }
        for (const Event& event : slice.events)
            if (!co_await out.send(
                    {.data = json::print(event),
                     .event = "event",
                     .id = std::to_string(event.cursor)}
                ))
                co_return;
        const bool moved = slice.last > watch->cursor;
        watch->cursor = std::max(watch->cursor, slice.last);
        if (moved) continue;
        const Task* task = watch->task ? platform.board.find(*watch->task) : nullptr;
        if (task != nullptr && is_terminal(task->state) && platform.last_ticket_durable()) {
            (void)co_await out.send(
                {.data = json::print(*task), .event = "end", .id = std::to_string(watch->cursor)}
            );
            co_return;
        }
        if (!co_await platform.events.wait(io::Deadline::after(kHeartbeatSpan)))
            if (!co_await out.comment()) co_return;
    }
}

struct LogWatch {
    Platform* platform = nullptr;
    LogStore* logs = nullptr;
    TaskId task;
    std::optional<std::int64_t> item;
    std::int64_t cursor = 0;
};

io::Task<void> watch_logs(std::shared_ptr<LogWatch> watch, http::BodyWriter writer) {
    http::SseWriter out(writer);
    if (!co_await out.comment("penstock logs")) co_return;
    std::optional<io::Deadline> settled;
    auto heartbeat = io::Deadline::after(kHeartbeatSpan);
    while (!watch->platform->stopping()) {
        const Result<std::vector<LogLine>> lines =
            watch->logs->read(watch->task, watch->cursor, watch->item, kBatchMax);
        if (!lines) co_return writer.abort();
        for (const LogLine& line : *lines)
            if (!co_await out.send(
                    {.data = json::print(line), .event = "log", .id = std::to_string(line.cursor)}
                ))
                co_return;
        if (!lines->empty()) {
            watch->cursor = lines->back().cursor;
            settled.reset();
            continue;
        }
        const Task& task = *watch->platform->board.find(watch->task);
        if (is_terminal(task.state) && !settled) settled = io::Deadline::after(kLogSettleSpan);
        if (!is_terminal(task.state)) settled.reset();
        if (settled && settled->passed()) {
            (void)co_await out.send({.data = json::print(task), .event = "end"});
            co_return;
        }
        constexpr Duration kLook = 500ms;  // the end of a task is no line of its log
        (void)co_await watch->logs->wait(io::Deadline::after(kLook));
        if (!heartbeat.passed()) continue;
        heartbeat = io::Deadline::after(kHeartbeatSpan);
        if (!co_await out.comment()) co_return;
    }
}

io::Task<http::Response> open_event_watch(
    Platform* platform, io::Pool* pool, bool of_task, access::Principal principal,
    http::Request request
) {
    auto watch = std::make_shared<EventWatch>();
    watch->platform = platform;
    watch->pool = pool;
    watch->tenant = principal.organisation_id;
    if (of_task) {
        const Result<const Task*> task = find_task(*platform, principal, request.param("id"));
        if (!task) co_return http::problem_response(task.error(), request);
        watch->task = (*task)->id;
        watch->subject = "task/" + to_string((*task)->id);
    }
    const Result<std::int64_t> cursor =
        start_cursor(request, of_task ? 0 : platform->events.last_published());
    if (!cursor) co_return http::problem_response(cursor.error(), request);
    watch->cursor = *cursor;
    co_return http::Response::event_stream([watch](http::BodyWriter writer) {
        return watch_events(watch, writer);
    });
}

io::Task<http::Response> open_log_watch(
    Platform* platform, LogStore* logs, access::Principal principal, http::Request request
) {
    const Result<const Task*> task = find_task(*platform, principal, request.param("id"));
    if (!task) co_return http::problem_response(task.error(), request);
    auto watch = std::make_shared<LogWatch>(LogWatch{platform, logs, (*task)->id, {}, 0});
    const Result<std::int64_t> cursor = start_cursor(request, 0);
    const Result<std::int64_t> item = query_integer(request, "item", -1, -1, kArrayItemsMax);
    if (!cursor || !item)
        co_return http::problem_response(cursor ? item.error() : cursor.error(), request);
    watch->cursor = *cursor;
    if (*item >= 0) watch->item = *item;
    co_return http::Response::event_stream([watch](http::BodyWriter writer) {
        return watch_logs(watch, writer);
    });
}

Outcome list_logs(Platform& platform, LogStore& logs, Call& call) {
    const Task* task = TRY(find_task(platform, call.principal, call.request.param("id")));
    const std::int64_t since = TRY(query_integer(call.request, "since", 0, 0, INT64_MAX));
    const std::int64_t item = TRY(query_integer(call.request, "item", -1, -1, kArrayItemsMax));
    const std::int64_t limit =
        TRY(query_integer(call.request, "limit", kPageSizeMax, 1, kPageSizeMax));
    LogPage page;
    page.lines = TRY(logs.read(
        task->id, since, item < 0 ? std::nullopt : std::optional(item),
        static_cast<std::size_t>(limit)
    ));
    page.total = logs.last_cursor(task->id);
    if (std::ssize(page.lines) == limit)
        page.next_page_token = std::to_string(page.lines.back().cursor);
    return answer(page);
}

}  // namespace

void add_watch_routes(Api& api, LogStore& logs, io::Pool& pool) {
    Platform* platform = &api.platform();
    RouteDoc doc{
        .operation = "watchTask",
        .summary = "Server-sent events of a task until it ends",
        .scope = Scope::tasks_read,
        .response = json::schema<Event>,
        .query = {"since"},
        .content = "text/event-stream"
    };
    api.raw(
        "GET", "/v1/tasks/{id}:watch", doc,
        [platform, pool = &pool](access::Principal p, http::Request r) {
            return open_event_watch(platform, pool, true, std::move(p), std::move(r));
        }
    );
    doc.operation = "watchEvents";
    doc.summary = "Server-sent events of your organisation";
    api.raw(
        "GET", "/v1/events:watch", doc,
        [platform, pool = &pool](access::Principal p, http::Request r) {
            return open_event_watch(platform, pool, false, std::move(p), std::move(r));
        }
    );
    doc.operation = "watchLogs";
    doc.summary = "Log lines of a task as they come";
    doc.response = json::schema<LogLine>;
    doc.query = {"since", "item"};
    api.raw(
        "GET", "/v1/tasks/{id}/logs:watch", doc,
        [platform, logs = &logs](access::Principal p, http::Request r) {
            return open_log_watch(platform, logs, std::move(p), std::move(r));
        }
    );
    api.query(
        "/v1/tasks/{id}/logs",
        {.operation = "listLogs",
         .summary = "Log lines of a task",
         .scope = Scope::tasks_read,
         .response = json::schema<LogPage>,
         .query = {"since", "item", "limit"}},
        [platform, logs = &logs](Call& call) { return list_logs(*platform, *logs, call); }
    );
}

}  // namespace penstock::server
