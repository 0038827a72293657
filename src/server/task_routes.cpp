// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "config/yaml.h"
#include "server/lists.h"
#include "server/profiles.h"
#include "server/routes.h"
#include "server/task_submission.h"

namespace penstock::server {
namespace {

constexpr std::size_t kTaskBodyMax = 1 << 20;

std::unexpected<Failure> no_task(const std::string& reference) {
    return std::unexpected(Failure(Error{
        ErrorCode::not_found,
        "no task '" + reference + "' in this project: penstock task list shows what there is", "id"
    }));
}

std::expected<TaskSpec, Failure> spec_of(const http::Request& request) {
    const bool is_yaml = request.headers.get("Content-Type").find("yaml") != std::string_view::npos;
    Result<json::Value> document =
        is_yaml ? yaml::parse(request.body) : json::parse_value(request.body);
    if (!document) return std::unexpected(Failure(std::move(document.error())));
    std::expected<TaskSpec, std::vector<Error>> spec = parse_task_spec(*document);
    if (!spec) return std::unexpected(Failure(std::move(spec.error())));
    return *std::move(spec);
}

Outcome create_task(Platform& platform, Call& call) {
    const TaskId id = TRY(submit_task(platform, call, TRY(spec_of(call.request))));
    return answer(*platform.board.find(id), 201);
}

Outcome plan_task(const Platform& platform, Dispatcher& dispatcher, Call& call) {
    TaskSpec spec = TRY(spec_of(call.request));
    TRY(resolve_references(platform, call.principal, spec));
    return answer(dispatcher.plan(spec, call.principal.organisation_id, items_of(spec)));
}

// Why an elastic service has as many replicas as it has.
void tell_scaling(Explanation& explanation, const Task& task) {
    if (!task.service || !task.service->scaled) return;
    const ScaleNote& note = *task.service->scaled;
    const auto add = [](std::string& text, const std::string& more) {
        text += (text.empty() ? "" : "; ") + more;
    };
    add(explanation.message, note.message + " (" + to_rfc3339(note.at) + ")");
    add(explanation.message_zh, note.message_zh + " (" + to_rfc3339(note.at) + ")");
}

Outcome list_tasks(Platform& platform, Call& call) {
    const auto all = platform.board.list([&](const Task& task) {
        return task.project_id == call.principal.project_id;
    });
    return list_page(call.request, all, &TaskPage::tasks, [](const Task& task) {
        return to_string(task.id);
    });
}

Outcome list_attempts(Platform& platform, const Task& task, Call& call) {
    return list_page(
        call.request, platform.board.attempts_of(task.id), &AttemptPage::attempts,
        [](const Attempt& attempt) { return to_string(attempt.id); }
    );
}

Outcome list_items(Platform& platform, const Task& task, Call& call) {
    return list_page(
        call.request, *platform.board.items(task.id), &ItemPage::items,
        [](const TaskItem& item) { return std::to_string(item.index); }
    );
}

}  // namespace

Result<const Task*> find_task(
    const Platform& platform, const access::Principal& principal, std::string_view reference
) {
    if (const Task* task = platform.board.resolve(principal.project_id, reference)) return task;
    return fail_field(
        ErrorCode::not_found, "id",
        "no task '" + std::string(reference) +
            "' in this project: penstock task list shows what there is"
    );
}

namespace {

void add_submission_routes(Api& api, Dispatcher& dispatcher) {
    Platform& platform = api.platform();
    api.command(
        "POST", "/v1/tasks",
        {.operation = "createTask",
         .summary = "Submit a task",
         .scope = Scope::tasks_write,
         .request = json::schema<TaskSpec>,
         .response = json::schema<Task>,
         .status = 201},
        [&platform](Call& call) { return create_task(platform, call); }, kTaskBodyMax
    );
    api.command(
        "POST", "/v1/tasks:plan",
        {.operation = "planTask",
         .summary = "Candidates, cost and reasons; nothing is created",
         .scope = Scope::tasks_read,
         .request = json::schema<TaskSpec>,
         .response = json::schema<Plan>},
        [&platform, &dispatcher](Call& call) { return plan_task(platform, dispatcher, call); },
        kTaskBodyMax
    );
    api.command(
        "POST", "/v1/tasks:profile",
        {.operation = "profileTask",
         .summary = "What is known of how such a task runs; nothing is created",
         .scope = Scope::tasks_read,
         .request = json::schema<TaskSpec>,
         .response = json::schema<TaskProfile>},
        [&platform](Call& call) -> Outcome {
            TaskSpec spec = TRY(spec_of(call.request));
            TRY(resolve_references(platform, call.principal, spec));
            return answer(
                task_profile_of(platform, spec, call.principal.organisation_id, items_of(spec))
            );
        },
        kTaskBodyMax
    );
    api.query(
        "/v1/tasks",
        {.operation = "listTasks",
         .summary = "Tasks of your project, newest first",
         .scope = Scope::tasks_read,
         .response = json::schema<TaskPage>,
         .list = true},
        [&platform](Call& call) { return list_tasks(platform, call); }
    );
}

void add_task_queries(Api& api, Dispatcher& dispatcher) {
    Platform& platform = api.platform();
    // A query on one task of the caller.
    const auto on_task = [&](std::string_view pattern, RouteDoc doc,
                             std::function<Outcome(const Task&, Call&)> handler) {
        doc.scope = Scope::tasks_read;
        api.query(
            pattern, std::move(doc),
            [&platform, handler = std::move(handler)](Call& call) -> Outcome {
                const Task* task =
                    platform.board.resolve(call.principal.project_id, call.request.param("id"));
                return task == nullptr ? no_task(call.request.param("id")) : handler(*task, call);
            }
        );
    };
    on_task(
        "/v1/tasks/{id}",
        {.operation = "getTask", .summary = "A task by id or name", .response = json::schema<Task>},
        [](const Task& task, Call&) { return Outcome(answer(task)); }
    );
    on_task(
        "/v1/tasks/{id}:explain",
        {.operation = "explainTask",
         .summary = "Why it waits, or why it is there",
         .response = json::schema<Explanation>},
        [&dispatcher](const Task& task, Call&) {
            Explanation explanation = dispatcher.explain(task);
            tell_scaling(explanation, task);
            return Outcome(answer(explanation));
        }
    );
    on_task(
        "/v1/tasks/{id}:profile",
        {.operation = "getTaskProfile",
         .summary = "What is known of how it runs",
         .response = json::schema<TaskProfile>},
        [&platform](const Task& task, Call&) {
            return Outcome(
                answer(task_profile_of(platform, task.spec, task.organisation_id, task.items.total))
            );
        }
    );
    on_task(
        "/v1/tasks/{id}/attempts",
        {.operation = "listAttempts",
         .summary = "Attempts of a task",
         .response = json::schema<AttemptPage>,
         .list = true},
        [&platform](const Task& task, Call& call) { return list_attempts(platform, task, call); }
    );
    on_task(
        "/v1/tasks/{id}/items",
        {.operation = "listItems",
         .summary = "Items of an array or service",
         .response = json::schema<ItemPage>,
         .list = true},
        [&platform](const Task& task, Call& call) { return list_items(platform, task, call); }
    );
}

void add_task_commands(Api& api) {
    Platform& platform = api.platform();
    const auto change_task = [&](std::string_view pattern, RouteDoc doc,
                                 std::function<Result<void>(const Task&, Call&)> handler) {
        doc.scope = Scope::tasks_write;
        doc.response = json::schema<Task>;
        api.command(
            "POST", pattern, std::move(doc),
            [&platform, handler = std::move(handler)](Call& call) -> Outcome {
                const Task* task =
                    platform.board.resolve(call.principal.project_id, call.request.param("id"));
                if (task == nullptr) return no_task(call.request.param("id"));
                TRY(handler(*task, call));
                return answer(*task);
            }
        );
    };
    change_task(
        "/v1/tasks/{id}:cancel",
        {.operation = "cancelTask", .summary = "Stop a task; what ran is charged"},
        [&platform](const Task& task, Call& call) {
            return platform.board.cancel(
                task.id, TaskReason::canceled_by_user, call.principal.actor(),
                "canceled by the user", call.now, call.change.tasks
            );
        }
    );
    change_task(
        "/v1/tasks/{id}:retry", {.operation = "retryTask", .summary = "Run what failed again"},
        [&platform](const Task& task, Call& call) {
            return platform.board.retry(
                task.id, call.principal.actor(), call.now, call.change.tasks
            );
        }
    );
}

}  // namespace

void add_task_routes(Api& api, Dispatcher& dispatcher) {
    add_submission_routes(api, dispatcher);
    add_task_queries(api, dispatcher);
    add_task_commands(api);
}

}  // namespace penstock::server
