// SPDX-License-Identifier: Apache-2.0
#include "server/leavers.h"

#include <algorithm>

#include "model/time_shared.h"
#include "scheduler/scheduler.h"

namespace penstock::server {

scheduler::Tenant tenant_of(const Task& task) { return {task.organisation_id, task.project_id}; }

Leavers::Leavers(const tasks::Board& board, const std::set<AttemptId>& lent) {
    for (const auto& [attempt, task, item] : board.running()) {
        const bool leaves = attempt->notice.has_value();
        // One member of a gang that leaves ends all.
        const bool is_lent = lent.contains(attempt->id);
        if (!leaves && ((!is_preemptible(task->spec) && !is_lent) || attempt->gang)) continue;
        // All work in the queue goes before what takes turns on the devices it leaves, and before
        // lines of batches.
        const bool turns = is_time_shared(task->spec) || is_lent;
        std::optional<Time> quiet_until;
        if (item->preemptions && !turns)
            quiet_until = attempt->created_at + scheduler::kPreemptionQuiet;
        const Kind kind{
            tenant_of(*task), task->spec.priority, is_spot(task->spec) || turns, leaves, quiet_until
        };
        kinds_[kind].push_back(
            {attempt->id,
             attempt->checkpoint ? std::optional(attempt->checkpoint->at) : attempt->running_at}
        );
    }
}

void Leavers::told_to_leave(AttemptId attempt) {
    for (auto& [kind, runs] : kinds_) {
        const auto [tenant, priority, spot, leaves, quiet_until] = kind;
        const auto found = std::ranges::find(runs, attempt, &Run::attempt);
        if (leaves || found == runs.end()) continue;
        const Run run = *found;
        runs.erase(found);
        kinds_[{tenant, priority, spot, true, quiet_until}].push_back(run);
        return;
    }
}

std::vector<LeavableWork> Leavers::of(
    const scheduler::FairQueue& queue, const scheduler::Asker& asker,
    const std::vector<scheduler::Amounts>& asked, Time now
) const {
    std::vector<LeavableWork> all;
    bool any = false;
    for (const auto& [kind, runs] : kinds_) {
        const auto& [tenant, priority, spot, leaves, quiet_until] = kind;
        if (runs.empty()) continue;
        const bool claimed = !leaves && scheduler::may_claim(
                                            queue, asker, asked,
                                            {.tenant = tenant, .priority = priority, .spot = spot}
                                        );
        if (!leaves && !claimed) continue;
        any = any || claimed;
        LeavableWork& work = all.emplace_back();
        work.organisation_id = tenant.organisation;
        work.project_id = tenant.project;
        work.priority = priority;
        work.spot = spot;
        work.leaves = leaves;
        if (quiet_until && *quiet_until > now) work.quiet_until = quiet_until;
        work.runs.reserve(runs.size());
        for (const Run& run : runs)
            work.runs.push_back({run.attempt, std::max(now - run.saved.value_or(now), Duration{0})}
            );
    }
    if (!any) all.clear();
    return all;
}

std::vector<scheduler::Amounts> amounts_asked(const TaskSpec& spec) {
    ResourceRequest request = scheduler::request_of(spec);
    request.cpu_milli *= spec.num_nodes;
    request.memory_mib *= spec.num_nodes;
    if (!spec.resources.accelerators) return {scheduler::amounts_of(request)};
    std::vector<scheduler::Amounts> all;
    for (const Accelerator& choice : spec.resources.accelerators->choices) {
        request.accelerator = choice;
        request.accelerator->count_milli *= spec.num_nodes;
        all.push_back(scheduler::amounts_of(request));
    }
    return all;
}

}  // namespace penstock::server
