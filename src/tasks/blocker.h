// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/task.h"

namespace penstock::tasks {

// What keeps a task from running, as `penstock explain` shows it; all empty where its reason is no
// blocker.
struct Blocker {
    std::string word;  // stable: start_time, dependency, capacity, quota, reservation, round,
                       // balance, no_candidate, no_calls
    std::string remedy;
    std::string remedy_zh;
};
Blocker blocker_of(TaskReason reason);

}  // namespace penstock::tasks
