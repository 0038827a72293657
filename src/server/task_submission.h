// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/composite.h"
#include "server/api.h"

namespace penstock::server {

constexpr std::size_t kOpenTasksPerProjectMax = 10'000;

// Creates a task of the caller in call.change. Tasks that the spec names are looked up in the
// caller's project and written down by id: a later one of that name is not meant.
std::expected<TaskId, Failure> submit_task(
    Platform& platform, Call& call, TaskSpec spec, std::optional<CompositePart> part = {}
);

// Writes the tasks that the spec names down by id. They are looked up in the caller's project only;
// not_found names the field.
Result<void> resolve_references(
    const Platform& platform, const access::Principal& principal, TaskSpec& spec
);

// How many items a task of this spec has.
std::int64_t items_of(const TaskSpec& spec);

}  // namespace penstock::server
