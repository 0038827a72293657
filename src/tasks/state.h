// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/task.h"

namespace penstock::tasks {

// Whether an attempt in this state holds capacity and money.
constexpr bool is_active(TaskState state) {
    return state == TaskState::reserved || state == TaskState::staging ||
           state == TaskState::running || state == TaskState::collecting;
}

// A replica that its service does not need now.
constexpr bool rests(const TaskItem& item) {
    return item.state == TaskState::paused && item.reason == TaskReason::not_needed;
}

// The state of a task from the states of its items; never CANCELING, which only a command makes.
TaskState combine(const std::vector<TaskItem>& items);
ItemCounts count(const std::vector<TaskItem>& items);

// A service is meant to run on: a replica that dies is started again, but not for ever.
constexpr std::int64_t kServiceRestartsMax = 20;
// How often an item may fail by its own fault and be tried again.
std::int64_t retries_allowed(const TaskSpec& spec);
// The end of a CANCELING task.
TaskState state_after_stop(TaskReason reason);
// Before an item that ended `ends` times is tried again: nothing the first time, then a second and
// twice as long each time, kRetryDelayMax at most.
constexpr Duration kRetryDelayMax = 60s;
Duration retry_delay(std::int64_t ends);
// How many items a task without an array has when it begins to run; 0: a service that waits for its
// first call.
std::int64_t replicas_of(const TaskSpec& spec);
// The same, and at least one, which then rests.
std::int64_t slots_of(const TaskSpec& spec);
// What must have ended first: its schedule's dependencies, and the tasks whose outputs it takes.
std::vector<Dependency> dependencies_of(const TaskSpec& spec);

// Sentences for people, English and Chinese.
struct Wording {
    std::string en;
    std::string zh;
};
Wording describe(TaskReason reason);
std::string name_of(TaskState state);  // "RUNNING"

}  // namespace penstock::tasks
