// SPDX-License-Identifier: Apache-2.0
#include "server/explain_queue.h"

#include <algorithm>
#include <set>

#include "scheduler/queue_text.h"
#include "scheduler/start_estimate.h"
#include "server/profiles.h"
#include "server/queue_yard.h"

namespace penstock::server {
namespace {

using scheduler::Place;

// Items of other tasks in the order in which they would be taken, up to the first of `task`, which
// is the last. Nothing where the task is not in the queue.
std::vector<tasks::Waiting> before(const Platform& platform, const Task& task) {
    const std::vector<tasks::Waiting> waiting = platform.board.waiting(platform.now());
    scheduler::FairQueue queue = fair_queue(platform);
    const auto asked_by = [&](const tasks::Waiting& each) {
        return scheduler::amounts_of(scheduler::request_of(platform.board.find(each.task_id)->spec)
        );
    };
    for (std::size_t i = 0; i < waiting.size(); ++i)
        queue.add(tenant_of(*platform.board.find(waiting[i].task_id)), i, asked_by(waiting[i]));
    std::vector<tasks::Waiting> order;
    while (const std::optional<std::size_t> next = queue.pop()) {
        const tasks::Waiting& each = waiting[*next];
        const scheduler::Tenant tenant = tenant_of(*platform.board.find(each.task_id));
        const bool own = each.task_id == task.id;
        if (!own && queue.blocked(tenant, asked_by(each))) continue;  // it lets others pass
        order.push_back(each);
        if (own) return order;
        queue.charge(tenant, asked_by(each));
    }
    return {};
}

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

// ---- when

// The fleet as the estimate takes it: nodes by number.
class EstimateOf {
  public:
    explicit EstimateOf(const Platform& platform) : platform_(platform) {
        for (const Node* node : platform.fleet.nodes()) {
            if (node->state != NodeState::online) continue;
            numbers_[node->id] = input_.nodes.size();
            input_.nodes.push_back(node->total);
        }
        for (const Attempt* attempt : platform.board.active_attempts()) {
            const auto node = numbers_.find(attempt->placement.node_id);
            if (node == numbers_.end()) continue;
            Duration elapsed =
                attempt->running_at ? platform.now() - *attempt->running_at : Duration{0};
            if (attempt->restored_from)
                elapsed += std::chrono::milliseconds(attempt->restored_from->running_ms);
            input_.running.push_back(
                {node->second, attempt->request, std::max(elapsed, Duration{0}),
                 times_of(*attempt, elapsed)}
            );
        }
    }
    void add(const tasks::Waiting& waiting) {
        const Task& task = *platform_.board.find(waiting.task_id);
        scheduler::EstimateWaiting entry;
        for (const Place& place : suited_places(platform_, task.spec, task.organisation_id))
            if (const auto node = numbers_.find(place.node); node != numbers_.end())
                entry.places.push_back({node->second, place.request});
        entry.times = run_times_of(
            platform_, task.spec, task.organisation_id, scheduler::request_of(task.spec).accelerator
        );
        input_.waiting.push_back(std::move(entry));
    }
    const scheduler::EstimateInput& input() const { return input_; }

  private:
    scheduler::RunTimes times_of(const Attempt& attempt, Duration elapsed) const {
        const Task& task = *platform_.board.find(attempt.task_id);
        if (!attempt.notice)
            return run_times_of(
                platform_, task.spec, task.organisation_id, attempt.request.accelerator
            );
        const Duration left = attempt.notice->stop_by - platform_.now();
        return {.seen = {}, .limit = elapsed + std::max(left, Duration{0})};
    }
    const Platform& platform_;
    std::map<NodeId, std::size_t> numbers_;
    scheduler::EstimateInput input_;
};

void word(StartEstimate& estimate, const scheduler::Text& text) {
    estimate.basis = text.en;
    estimate.basis_zh = text.zh;
}

StartEstimate start_of(const Platform& platform, const std::vector<tasks::Waiting>& order) {
    StartEstimate estimate;
    if (order.size() > scheduler::kEstimateAheadMax) {
        word(estimate, scheduler::estimate_text({.too_many = true}, order.size() - 1));
        return estimate;
    }
    EstimateOf input(platform);
    for (const tasks::Waiting& each : order) input.add(each);
    const scheduler::WaitQuantiles waits = scheduler::estimate_wait(input.input());
    const auto at = [&](const std::optional<Duration>& wait) {
        return wait ? std::optional(platform.now() + *wait) : std::nullopt;
    };
    estimate.earliest = at(waits.p10);
    estimate.expected = at(waits.p50);
    estimate.latest = at(waits.p90);
    word(estimate, scheduler::estimate_text(waits, order.size() - 1));
    return estimate;
}

}  // namespace

void explain_queue(
    Platform& platform, const Task& task, const scheduler::Reservations& promises,
    Explanation& explanation
) {
    const scheduler::FairQueue queue = fair_queue(platform);
    const scheduler::Amounts asked = scheduler::amounts_of(scheduler::request_of(task.spec));
    if (const auto limit = queue.blocked(tenant_of(task), asked)) {
        explanation.quota = quota_block(platform, task, *limit);
        explanation.start.emplace();
        word(*explanation.start, scheduler::estimate_text_behind_quota());
    }
    const std::vector<tasks::Waiting> order = before(platform, task);
    explanation.ahead = ahead_of(platform, task, order);
    explanation.position = explanation.ahead->own + explanation.ahead->others + 1;
    if (!explanation.start && !order.empty()) explanation.start = start_of(platform, order);
    if (!explanation.quota) explanation.changes = starting_changes(platform, task, promises);
}

}  // namespace penstock::server
