// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "dispatch/engine.h"
#include "dispatch/host_overlay.h"
#include "dispatch/staging_routes.h"
#include "scheduler/alike_supplies.h"

// Who leaves so that a task can start.
namespace penstock::dispatch {
namespace {

scheduler::Asker asker_of(const DecisionQuestion& question) {
    const ReclaimQuestion& asked = *question.reclaim;
    return {
        .tenant = {asked.organisation_id, asked.project_id},
        .priority = question.spec.priority,
        .spot = asked.spot
    };
}

// What all members of a gang ask for that has one such place each.
scheduler::Amounts of_all_members(const ResourceRequest& each, std::int64_t members) {
    scheduler::Amounts all = scheduler::amounts_of(each);
    all.cpu_milli *= members;
    all.memory_mib *= members;
    all.devices_milli *= members;
    for (auto& [model, milli] : all.models) milli *= members;
    return all;
}

// Work that may leave, by attempt.
class Leavable {
  public:
    struct Entry {
        const LeavableWork* work = nullptr;
        const LeavableWork::Run* run = nullptr;
    };
    explicit Leavable(const std::vector<LeavableWork>& all) {
        std::size_t runs = 0;
        for (const LeavableWork& work : all) runs += work.runs.size();
        by_attempt_.reserve(runs);
        for (const LeavableWork& work : all)
            for (const LeavableWork::Run& run : work.runs)
                by_attempt_.emplace(run.attempt_id, Entry{&work, &run});
    }
    Entry find(AttemptId attempt) const {
        const auto found = by_attempt_.find(attempt);
        return found == by_attempt_.end() ? Entry{} : found->second;
    }

  private:
    std::unordered_map<AttemptId, Entry> by_attempt_;
};

scheduler::Resident resident_of(
    const LeavableWork& work, const LeavableWork::Run& run, const ResourceRequest& request,
    std::uint64_t id
) {
    return {
        .id = id,
        .tenant = {work.organisation_id, work.project_id},
        .request = request,
        .priority = work.priority,
        .preemptible = true,
        .spot = work.spot,
        .unsaved = run.unsaved,
        .quiet_until = work.quiet_until,
        .leaves = work.leaves
    };
}

}  // namespace

std::vector<scheduler::Place> Engine::suited(const DecisionQuestion& question, std::size_t most)
    const {
    scheduler::Input input = input_of(question);
    TaskSpec one = question.spec;
    const std::int64_t members = one.num_nodes;
    if (members > 1 && one.placement) one.placement->topology.reset();  // of the whole
    one.num_nodes = 1;
    scheduler::Input of_one{
        .spec = one,
        .spec_sha256 = "",
        .supplies = {},
        .avoid = {},
        .profile = std::move(input.profile),
        .budget_left = {},
        .now = question.now,
        .at_once = true
    };
    if (question.budget_left)
        of_one.budget_left = Money::micro(question.budget_left->micro() / members);
    const StagingRoutes routes(question.runs.staging_source);
    for (const auto& [id, site] : sites_)
        for (const auto& [name, host] : site.hosts) {
            if (host.node().state != NodeState::online || host.node().cordoned) continue;
            of_one.supplies.push_back({&site.site, &host.node(), {}});
            if (site.outlook) of_one.supplies.back().outlook = &*site.outlook;
            of_one.supplies.back().staging = routes.to(site.site);
            of_one.supplies.back().restarts = restarts_of(id);
        }
    return scheduler::suited_places(std::move(of_one), most);
}

void Engine::fill(Ground& filled, const DecisionQuestion& question) {
    const ReclaimQuestion& asked = *question.reclaim;
    scheduler::ReclaimGround& ground = filled.ground;
    ground.places = suited(question, kReclaimPlacesMax);
    const Leavable leavable(asked.leavable);
    for (const scheduler::Place& place : ground.places) {
        const auto [at, is_new] = ground.residents.try_emplace(place.node);
        if (!is_new) continue;
        for (const auto& [attempt, hold] : find(place.node)->holds()) {
            const auto [work, run] = leavable.find(attempt);
            if (run == nullptr) continue;
            at->second.push_back(resident_of(*work, *run, hold.request, filled.attempts.size()));
            filled.attempts.push_back(attempt);
        }
    }
    for (const PromisedRoom& room : asked.promised)
        ground.promised[room.node_id].push_back(room.request);
    if (question.spec.num_nodes > 1) {
        ground.gang = scheduler::gang_rules(question.spec);
        for (const scheduler::Place& place : ground.places) {
            const auto [site, host] = host_of_.at(place.node);
            ground.seats.push_back(scheduler::seat_on(site->site, host->node(), place.request));
        }
    }
    // Fragments of a node are weighed by the pool of the first accelerator that it could give.
    std::unordered_map<NodeId, const Pool*> pools;
    for (const scheduler::Place& place : ground.places) {
        const auto [at, is_new] = pools.try_emplace(place.node);
        if (!is_new) continue;
        at->second = ready_pool(*host_of_.at(place.node).first, sku_of(place.request));
        CHECK(at->second != nullptr, "a node that suits a request lies in its pool");
    }
    ground.overlay = [this, &attempts = filled.attempts, pools = std::move(pools)](NodeId node) {
        return std::make_unique<HostOverlay>(*find(node), attempts, *pools.at(node));
    };
}

DecisionAnswer Engine::decide_reclaim(const DecisionQuestion& question) {
    Ground ground;
    fill(ground, question);
    DecisionAnswer answer;
    answer.plan.spec_sha256 = question.spec_sha256;
    answer.plan.strategy =
        question.spec.placement ? question.spec.placement->optimize : balanced_strategy();
    if (ground.ground.places.empty()) return answer;
    scheduler::Asker asker = asker_of(question);
    if (question.spec.num_nodes > 1)
        asker.of_all =
            of_all_members(ground.ground.places.front().request, question.spec.num_nodes);
    const scheduler::FairQueue queue =
        scheduler::FairQueue::of(scheduler::amounts_of(total_), question.reclaim->tenants);
    const std::optional<scheduler::Reclaim> found =
        scheduler::plan_reclaim(queue, asker, ground.ground, question.now);
    if (!found) return answer;
    ReclaimAnswer& reclaim = answer.reclaim.emplace();
    for (const scheduler::Place& place : found->places)
        reclaim.places.push_back({place.node, place.request});
    for (std::size_t i = 0; i < found->victims.size(); ++i)
        reclaim.victims.push_back({ground.attempts.at(found->victims[i].id), found->claims[i]});
    if (ground.ground.gang) reclaim.cell = scheduler::name_of(found->level);
    return answer;
}

}  // namespace penstock::dispatch
