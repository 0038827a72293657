// SPDX-License-Identifier: Apache-2.0
#include "server/explain_queue.h"

#include <algorithm>
#include <set>

#include "scheduler/queue_text.h"
#include "server/queue_yard.h"
#include "server/start_foretelling.h"

namespace penstock::server {
namespace {

AheadOf ahead_of(
    const Platform& platform, const Task& task, const std::vector<tasks::Waiting>& order
) {
    AheadOf ahead;
    std::set<TaskId> seen{task.id};
    for (const tasks::Waiting& each : order) {
        if (!seen.insert(each.task_id).second) continue;
        const Task& other = *platform.board.find(each.task_id);
        if (other.organisation_id != task.organisation_id) {
            ++ahead.others;
            continue;
        }
        ++ahead.own;
        if (ahead.tasks.size() < kAheadNamedMax)
            ahead.tasks.push_back(
                "task/" + (other.name.empty() ? to_string(other.id) : other.name)
            );
    }
    return ahead;
}

void word(StartEstimate& estimate, const scheduler::Text& text) {
    estimate.basis = text.en;
    estimate.basis_zh = text.zh;
}

StartEstimate start_of(
    const Platform& platform, const std::vector<tasks::Waiting>& order,
    const scheduler::StartRecord& record
) {
    StartEstimate estimate;
    const scheduler::WaitQuantiles waits = record.corrected(wait_of(platform, order));
    const auto at = [&](const std::optional<Duration>& wait) {
        return wait ? std::optional(platform.now() + *wait) : std::nullopt;
    };
    estimate.earliest = at(waits.p10);
    estimate.expected = at(waits.p50);
    estimate.latest = at(waits.p90);
    word(estimate, scheduler::estimate_text(waits, order.size() - 1));
    return estimate;
}

StartEstimate planned_start(const LaterStart& later) {
    StartEstimate estimate{
        .earliest = later.start_at, .expected = later.start_at, .latest = later.start_at
    };
    word(estimate, {later.text, later.text_zh});
    return estimate;
}

}  // namespace

void explain_queue(
    Platform& platform, const Task& task, const scheduler::Reservations& promises,
    const scheduler::StartRecord& record, Explanation& explanation
) {
    const scheduler::FairQueue queue = fair_queue(platform);
    const scheduler::Amounts asked = scheduler::amounts_of(counted_request(task.spec));
    if (const auto limit = queue.blocked(tenant_of(task), asked)) {
        explanation.quota = quota_block(platform, task, *limit);
        explanation.start.emplace();
        word(*explanation.start, scheduler::estimate_text_behind_quota());
    }
    const std::vector<tasks::Waiting> order = queue_before(platform, task);
    if (const auto& later = explanation.plan.later;
        later && task.reason == TaskReason::waiting_for_start_time) {
        explanation.start = planned_start(*later);
        return;  // it stands before nobody and behind nobody
    }
    explanation.ahead = ahead_of(platform, task, order);
    explanation.position = explanation.ahead->own + explanation.ahead->others + 1;
    if (!explanation.start && !order.empty()) explanation.start = start_of(platform, order, record);
    explain_changes(platform, task, promises, explanation);
}

}  // namespace penstock::server
