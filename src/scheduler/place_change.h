// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scheduler/spec_change.h"

namespace penstock::scheduler {

// Of what a spec states of places: one change of each constraint, and of how a gang may lie.
void add_place_changes(std::vector<SpecChange>& all, const TaskSpec& spec);

}  // namespace penstock::scheduler
