// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/task_spec.h"

namespace penstock::json {
class Problems;
}

namespace penstock {

// Whether the task takes turns with others: its owner said so in schedule.time_shared.
bool is_time_shared(const TaskSpec& spec);

constexpr double kSharedRateMax = 1e9;  // steps a second

// Part of parse_task_spec(): schedule.time_shared and what it asks of the rest.
void check_time_shared(const TaskSpec& spec, json::Problems& problems);

}  // namespace penstock
