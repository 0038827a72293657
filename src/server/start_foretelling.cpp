// SPDX-License-Identifier: Apache-2.0
#include "server/start_foretelling.h"

#include <algorithm>

#include "model/time_shared.h"
#include "server/profiles.h"
#include "server/queue_yard.h"
#include "server/shared_round.h"

namespace penstock::server {
namespace {

// The fleet as the estimate takes it: nodes by number.
class EstimateOf {
  public:
    explicit EstimateOf(const Platform& platform) : platform_(platform) {
        for (const Node* node : platform.fleet.nodes()) {
            if (node->state != NodeState::online) continue;
            numbers_[node->id] = input_.nodes.size();
            input_.nodes.push_back(node->total);
        }
        for (const Attempt* attempt : platform.board.active_attempts()) add_running(*attempt);
    }
    void add(const tasks::Waiting& waiting) {
        const Task& task = *platform_.board.find(waiting.task_id);
        scheduler::EstimateWaiting entry;
        for (const scheduler::Place& place :
             suited_places(platform_, task.spec, task.organisation_id))
            if (const auto node = numbers_.find(place.node); node != numbers_.end())
                entry.places.push_back({node->second, place.request});
        entry.times = run_times_of(
            platform_, task.spec, task.organisation_id, scheduler::request_of(task.spec).accelerator
        );
        input_.waiting.push_back(std::move(entry));
    }
    const scheduler::EstimateInput& input() const { return input_; }

  private:
    void add_running(const Attempt& attempt) {
        const auto node = numbers_.find(attempt.placement.node_id);
        if (node == numbers_.end()) return;
        const Time now = platform_.now();
        Duration elapsed = attempt.running_at ? now - *attempt.running_at : Duration{0};
        if (attempt.restored_from)
            elapsed += std::chrono::milliseconds(attempt.restored_from->running_ms);
        elapsed = std::max(elapsed, Duration{0});
        const Task& task = *platform_.board.find(attempt.task_id);
        scheduler::RunTimes times =
            run_times_of(platform_, task.spec, task.organisation_id, attempt.request.accelerator);
        if (is_time_shared(task.spec))
            times = {.seen = {}, .limit = elapsed + (end_of_round(platform_) + kRoundEndMax - now)};
        if (attempt.notice)
            times = {
                .seen = {}, .limit = elapsed + std::max(attempt.notice->stop_by - now, Duration{0})
            };
        input_.running.push_back({node->second, attempt.request, elapsed, std::move(times)});
    }

    const Platform& platform_;
    std::map<NodeId, std::size_t> numbers_;
    scheduler::EstimateInput input_;
};

bool waits_for_room(const Task& task) {
    return task.reason == TaskReason::waiting_for_capacity ||
           task.reason == TaskReason::waiting_for_reservation;
}

}  // namespace

std::vector<tasks::Waiting> queue_before(const Platform& platform, const Task& task) {
    std::vector<tasks::Waiting> waiting = platform.board.waiting(platform.now());
    std::erase_if(waiting, [&](const tasks::Waiting& each) {  // they take turns behind the queue
        return each.task_id != task.id && is_time_shared(platform.board.find(each.task_id)->spec);
    });
    scheduler::FairQueue queue = fair_queue(platform);
    const auto asked_by = [&](const tasks::Waiting& each) {
        return scheduler::amounts_of(counted_request(platform.board.find(each.task_id)->spec));
    };
    const auto waits_for_its_hour = [&](const tasks::Waiting& each) {
        return platform.board.find(each.task_id)->reason == TaskReason::waiting_for_start_time;
    };
    for (std::size_t i = 0; i < waiting.size(); ++i)
        queue.add(tenant_of(*platform.board.find(waiting[i].task_id)), i, asked_by(waiting[i]));
    std::vector<tasks::Waiting> order;
    while (const std::optional<std::size_t> next = queue.pop()) {
        const tasks::Waiting& each = waiting[*next];
        const scheduler::Tenant tenant = tenant_of(*platform.board.find(each.task_id));
        const bool own = each.task_id == task.id;
        // They let others pass: what its quota blocks, and what waits for a better hour.
        if (!own && (queue.blocked(tenant, asked_by(each)) || waits_for_its_hour(each))) continue;
        order.push_back(each);
        if (own) return order;
        queue.charge(tenant, asked_by(each));
    }
    return {};
}

scheduler::WaitQuantiles wait_of(
    const Platform& platform, const std::vector<tasks::Waiting>& order
) {
    if (order.size() > scheduler::kEstimateAheadMax) return {.too_many = true};
    EstimateOf input(platform);
    for (const tasks::Waiting& each : order) input.add(each);
    return scheduler::estimate_wait(input.input());
}

void StartForetelling::tick(const Platform& platform) {
    learn(platform);
    if (open_.size() >= kForetoldMax) return;
    for (const tasks::Waiting& each : platform.board.waiting(platform.now())) {
        const Task& task = *platform.board.find(each.task_id);
        if (task.started_at || !waits_for_room(task) || open_.contains(task.id)) continue;
        std::optional<Foretold>& foretold = open_[task.id];
        const std::vector<tasks::Waiting> order = queue_before(platform, task);
        if (order.empty() || order.size() > kForetoldAheadMax) return;
        if (const auto wait = wait_of(platform, order).p50)
            foretold = Foretold{*wait, platform.now()};
        return;
    }
}

void StartForetelling::learn(const Platform& platform) {
    std::erase_if(open_, [&](const auto& each) {
        const auto& [id, foretold] = each;
        const Task& task = *platform.board.find(id);
        if (is_terminal(task.state) && !task.started_at) return true;
        const std::vector<const Attempt*> attempts = platform.board.attempts_of(id);
        if (attempts.empty()) return false;
        if (foretold)
            record_.add(
                foretold->wait, std::max(attempts.front()->created_at - foretold->at, Duration{0})
            );
        return true;
    });
}

}  // namespace penstock::server
