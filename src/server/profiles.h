// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/task_profile.h"
#include "scheduler/profile.h"
#include "scheduler/run_times.h"
#include "server/platform.h"

// What is known of a task before it runs. The history of runs is no state of its own: it is made of
// the attempts that the store keeps, so a restart knows what the process before it knew.
namespace penstock::server {

// Every ended attempt the board holds, oldest first; once, after the store was read.
void learn_all(Platform& platform);
// An attempt that just ended. Only a success that ran from its start tells how long a run takes;
// every one that ran tells whether such work has to start again there.
void learn(Platform& platform, const Attempt& attempt);

// Of the same organisation: runs of the same work, else of the same name, else the time limit.
scheduler::Profile profile_of(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation
);

// The same for people, with how certain it is.
TaskProfile task_profile_of(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation, std::int64_t items
);

// The site at which staged bytes lie, with its routes to other sites; nothing where the platform
// does not say.
std::optional<SiteSpec> staging_source_of(const Platform& platform);

// How long such work runs on that accelerator, with the runs it is known from. A service has no
// end.
scheduler::RunTimes run_times_of(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation,
    const std::optional<Accelerator>& accelerator
);

// Where such a task, or a member of it, could start were every node empty, as nodes are now and
// last; the best first.
std::vector<scheduler::Place> suited_places(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation
);

}  // namespace penstock::server
