// SPDX-License-Identifier: Apache-2.0
#include "server/task_submission.h"

#include "server/endpoint_tokenizer.h"
#include "server/files.h"
#include "tasks/state.h"

namespace penstock::server {
namespace {

Result<void> check_workdir(
    const Platform& platform, const access::Principal& principal, const TaskSpec& spec
) {
    if (spec.workdir && !spec.workdir_sha256)
        return fail_field(
            ErrorCode::invalid_argument, "workdir_sha256",
            "is missing: pack the folder, PUT it to /v1/blobs/{sha256}, and name the hash here "
            "(penstock run does so)"
        );
    if (spec.workdir_sha256 &&
        (!is_sha256(*spec.workdir_sha256) ||
         !platform.blob_owners.contains({*spec.workdir_sha256, principal.organisation_id})))
        return fail_field(
            ErrorCode::not_found, "workdir_sha256",
            "was not uploaded: PUT it to /v1/blobs/{sha256} first"
        );
    return {};
}

// A task is meant that bears the name now, not a later one.
Result<void> resolve(
    const Platform& platform, const access::Principal& principal, std::string& name,
    const std::string& field
) {
    const Task* found = platform.board.resolve(principal.project_id, name);
    if (found == nullptr)
        return fail_field(
            ErrorCode::not_found, field, "no task '" + name + "' in this project: submit it first"
        );
    name = to_string(found->id);
    return {};
}

}  // namespace

Result<void> resolve_references(
    const Platform& platform, const access::Principal& principal, TaskSpec& spec
) {
    const auto each = [&](auto& list, const std::string& path) -> Result<void> {
        for (std::size_t i = 0; i < list.size(); ++i)
            TRY(resolve(
                platform, principal, list[i].task, path + "[" + std::to_string(i) + "].task"
            ));
        return {};
    };
    if (spec.schedule) TRY(each(spec.schedule->dependencies, "schedule.dependencies"));
    if (spec.inputs) TRY(each(*spec.inputs, "inputs"));
    return {};
}

std::int64_t items_of(const TaskSpec& spec) {
    if (!spec.array) return tasks::slots_of(spec);
    const auto points = std::ssize(*expand_array(*spec.array));
    return (points + spec.array->chunk - 1) / spec.array->chunk;
}

std::expected<TaskId, Failure> submit_task(
    Platform& platform, Call& call, TaskSpec spec, std::optional<CompositePart> part
) {
    TRY(check_workdir(platform, call.principal, spec));
    if (spec.service && spec.service->tokenizer_sha256)
        TRY(check_tokenizer_stored(
            platform, call.principal.organisation_id, *spec.service->tokenizer_sha256,
            "service.tokenizer_sha256"
        ));
    TRY(resolve_references(platform, call.principal, spec));
    const std::size_t open =
        platform.board
            .list([&](const Task& each) {
                return each.project_id == call.principal.project_id && !is_terminal(each.state);
            })
            .size();
    if (open >= kOpenTasksPerProjectMax)
        return std::unexpected(Failure(Error{
            ErrorCode::resource_exhausted,
            "the project has 10000 open tasks: wait for some to end, or use an array"
        }));
    Task task;
    task.id = platform.make_id<TaskId>();
    task.organisation_id = call.principal.organisation_id;
    task.project_id = call.principal.project_id;
    task.name = spec.name.empty() ? "task-" + to_string(task.id).substr(3, 16) : spec.name;
    spec.name = task.name;
    task.kind = spec.kind;
    task.spec_sha256 = access::sha256_hex(json::print(spec));
    task.spec = std::move(spec);
    task.submitted_by = call.principal.actor();
    task.created_at = task.updated_at = call.now;
    task.composite = std::move(part);
    const TaskId id = task.id;
    TRY(platform.board.create(std::move(task), call.change.tasks));
    return id;
}

}  // namespace penstock::server
