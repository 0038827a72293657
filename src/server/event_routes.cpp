// SPDX-License-Identifier: Apache-2.0
#include "http/problem.h"
#include "server/routes.h"
#include "server/stored_list.h"

// Lists of events, read from the store; watch_routes.cpp has the streams.
namespace penstock::server {
namespace {

io::Task<http::Response> list_events(
    Api* api, io::Pool* pool, bool of_task, access::Principal principal, http::Request request
) {
    Platform& platform = api->platform();
    storage::EventFilter filter{.tenant = to_string(principal.organisation_id)};
    if (of_task) {
        const Result<const Task*> task = find_task(platform, principal, request.param("id"));
        if (!task) co_return http::problem_response(task.error(), request);
        filter.subject = "task/" + to_string((*task)->id);
    }
    const Result<std::int64_t> since = query_integer(request, "since", 0, 0, INT64_MAX);
    const Result<ListQuery> query = list_query(request);
    if (!since || !query)
        co_return http::problem_response(since ? query.error() : since.error(), request);
    filter.after_seq = *since;
    // What happened a moment ago is to be in the list.
    const Result<void> durable = co_await platform.committed(platform.last_ticket());
    if (!durable) co_return http::problem_response(durable.error(), request, 503);
    EventRows rows(platform.store(), std::move(filter));
    Outcome page =
        co_await pool->run([&] { return stored_list(*query, rows, &EventPage::events); });
    co_return co_await api->finish(std::move(page), {}, std::move(request));
}

}  // namespace

void add_event_routes(Api& api, io::Pool& pool) {
    RouteDoc doc{
        .operation = "listTaskEvents",
        .summary = "Timeline of a task, oldest first",
        .scope = Scope::tasks_read,
        .response = json::schema<EventPage>,
        .query = {"since"},
        .list = true
    };
    api.raw(
        "GET", "/v1/tasks/{id}/events", doc,
        [&api, &pool](access::Principal p, http::Request r) {
            return list_events(&api, &pool, true, std::move(p), std::move(r));
        }
    );
    doc.operation = "listEvents";
    doc.summary = "Events of your organisation, oldest first";
    doc.scope.reset();
    api.raw("GET", "/v1/events", doc, [&api, &pool](access::Principal p, http::Request r) {
        return list_events(&api, &pool, false, std::move(p), std::move(r));
    });
}

}  // namespace penstock::server
