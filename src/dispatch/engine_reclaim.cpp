// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_set>

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
        }
    return scheduler::suited_places(std::move(of_one), most);
}

void Engine::fill(Ground& filled, const DecisionQuestion& question) {
    const ReclaimQuestion& asked = *question.reclaim;
    scheduler::ReclaimGround& ground = filled.ground;
    ground.places = suited(question, kReclaimPlacesMax);
    std::unordered_set<NodeId> nodes;
    for (const scheduler::Place& place : ground.places) nodes.insert(place.node);
    for (const LeavableWork& work : asked.leavable)
        for (const LeavableWork::Run& run : work.runs) {
            const auto host = held_by_.find(run.attempt_id);
            if (host == held_by_.end()) continue;
            const fleet::CapacityHold& hold = host->second->holds().at(run.attempt_id);
            if (!nodes.contains(hold.node_id)) continue;
            ground.residents[hold.node_id].push_back(
                {.id = filled.attempts.size(),
                 .tenant = {work.organisation_id, work.project_id},
                 .request = hold.request,
                 .priority = work.priority,
                 .preemptible = true,
                 .spot = work.spot,
                 .unsaved = run.unsaved,
                 .quiet_until = work.quiet_until,
                 .leaves = work.leaves}
            );
            filled.attempts.push_back(run.attempt_id);
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
    // A place's request says which pool weighs its fragments; all of a question ask one SKU a node.
    std::map<NodeId, const Pool*> pools;
    for (const scheduler::Place& place : ground.places) {
        SiteState& site = *host_of_.at(place.node).first;
        const Pool* pool = ready_pool(site, sku_of(place.request));
        CHECK(pool != nullptr, "a node that suits a request lies in its pool");
        pools.try_emplace(place.node, pool);
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
    answer.plan.strategy = question.spec.placement ? question.spec.placement->optimize
                                                   : balanced_strategy();
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
