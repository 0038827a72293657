// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <map>
#include <set>

#include "config/yaml.h"
#include "server/composites.h"
#include "server/task_submission.h"

namespace penstock::server {
namespace {

constexpr std::size_t kCompositeBodyMax = 4 << 20;

std::expected<CompositeSpec, Failure> spec_of(const http::Request& request) {
    const bool is_yaml = request.headers.get("Content-Type").find("yaml") != std::string_view::npos;
    Result<json::Value> document =
        is_yaml ? yaml::parse(request.body) : json::parse_value(request.body);
    if (!document) return std::unexpected(Failure(std::move(document.error())));
    std::expected<CompositeSpec, std::vector<Error>> spec = parse_composite_spec(*document);
    if (!spec) return std::unexpected(Failure(std::move(spec.error())));
    return *std::move(spec);
}

// Nothing is started, and nothing is paid, when some part could never run.
Result<void> check_possible(const CompositePlan& plan) {
    for (std::size_t i = 0; i < plan.parts.size(); ++i) {
        const Plan& part = plan.parts[i].plan;
        if (part.feasible || scheduler::may_become_feasible(part)) continue;
        return fail_field(
            ErrorCode::resource_exhausted, "parts[" + std::to_string(i) + "]",
            "'" + plan.parts[i].part +
                "' can never run as stated, so no part is started: " + part.explanation
        );
    }
    return {};
}

// Names of parts stand for the tasks made of them.
void name_tasks(TaskSpec& part, const std::map<std::string, TaskId>& made) {
    const auto put = [&](std::string& name) {
        if (const auto found = made.find(name); found != made.end())
            name = to_string(found->second);
    };
    if (part.inputs)
        for (InputSpec& input : *part.inputs) put(input.task);
    if (part.schedule)
        for (Dependency& dependency : part.schedule->dependencies) put(dependency.task);
}

Outcome create(Platform& platform, Call& call) {
    CompositeSpec spec = TRY(spec_of(call.request));
    Composite composite{.name = spec.name};
    composite.plan = plan_composite(platform, spec, call.principal.organisation_id);
    TRY(check_possible(*composite.plan));
    std::map<std::string, TaskId> made;
    for (TaskSpec& part : spec.parts) {
        const std::string name = part.name;
        set_default_placement(part);
        name_tasks(part, made);
        part.name = spec.name + "-" + name;
        const TaskId id = TRY(submit_task(
            platform, call, std::move(part), CompositePart{.composite = spec.name, .part = name}
        ));
        made.emplace(name, id);
        composite.tasks.push_back(*platform.board.find(id));
    }
    return answer(composite, 201);
}

// The tasks of the newest document of that name.
Outcome get(Platform& platform, Call& call) {
    const std::string name = call.request.param("name");
    Composite composite{.name = name};
    std::set<std::string> seen;
    for (const Task* task : platform.board.list([&](const Task& each) {
             return each.project_id == call.principal.project_id && each.composite &&
                    each.composite->composite == name;
         }))
        if (seen.insert(task->composite->part).second)
            composite.tasks.insert(composite.tasks.begin(), *task);
    if (composite.tasks.empty())
        return std::unexpected(Failure(
            Error{ErrorCode::not_found, "no composite '" + name + "' in this project", "name"}
        ));
    return answer(composite);
}

}  // namespace

void add_composite_routes(Api& api) {
    Platform& platform = api.platform();
    api.command(
        "POST", "/v1/composites",
        {.operation = "createComposite",
         .summary = "Submit several tasks of which some take what others leave",
         .scope = Scope::tasks_write,
         .request = json::schema<CompositeSpec>,
         .response = json::schema<Composite>,
         .status = 201},
        [&platform](Call& call) { return create(platform, call); }, kCompositeBodyMax
    );
    api.command(
        "POST", "/v1/composites:plan",
        {.operation = "planComposite",
         .summary = "Where all parts would go, decided together; nothing is created",
         .scope = Scope::tasks_read,
         .request = json::schema<CompositeSpec>,
         .response = json::schema<CompositePlan>},
        [&platform](Call& call) -> Outcome {
            const CompositeSpec spec = TRY(spec_of(call.request));
            return answer(plan_composite(platform, spec, call.principal.organisation_id));
        },
        kCompositeBodyMax
    );
    api.query(
        "/v1/composites/{name}",
        {.operation = "getComposite",
         .summary = "The tasks of a composite",
         .scope = Scope::tasks_read,
         .response = json::schema<Composite>},
        [&platform](Call& call) { return get(platform, call); }
    );
}

}  // namespace penstock::server
