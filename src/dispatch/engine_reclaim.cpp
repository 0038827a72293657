// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "dispatch/engine.h"
#include "dispatch/host_overlay.h"
#include "dispatch/leavable.h"
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
    const bool linked = scheduler::request_of(one).linked;
    for (const auto& [id, site] : sites_)
        for (const scheduler::AlikeSupplies& group : alike_in(site, linked)) {
            scheduler::Supply& shown = of_one.supplies.emplace_back(group.shown);
            shown.peers = &group.nodes;
            shown.staging = routes.to(site.site);
            shown.restarts = restarts_of(id);
        }
    return scheduler::suited_places_of_groups(std::move(of_one), most);
}

const std::vector<scheduler::AlikeSupplies>& Engine::alike_in(const SiteState& site, bool linked) {
    SiteState::Alike& alike = site.alike[linked ? 1 : 0];
    if (alike) return *alike;
    std::vector<scheduler::Supply> supplies;
    for (const auto& [name, host] : site.hosts) {
        if (host.node().state != NodeState::online || host.node().cordoned) continue;
        supplies.push_back({&site.site, &host.node(), {}});
        if (site.outlook) supplies.back().outlook = &*site.outlook;
    }
    return alike.emplace(scheduler::alike_supplies(supplies, linked));
}

struct Engine::Ground {
    explicit Ground(const std::vector<LeavableWork>& all) : leavable(all) {}
    Ground(const Ground&) = delete;
    Ground& operator=(const Ground&) = delete;

    Leavable leavable;
    std::vector<std::pair<SiteState*, const Host*>> hosts;  // by place
    std::unordered_map<NodeId, std::size_t> first_place;    // of each node, once it is asked for
    HostOverlay::PoolOf pool_of;
    scheduler::ReclaimGround ground;
};

void Engine::fill(Ground& filled, const DecisionQuestion& question) {
    scheduler::ReclaimGround& ground = filled.ground;
    ground.places = suited(question, kReclaimPlacesMax);
    filled.hosts.reserve(ground.places.size());
    for (const scheduler::Place& place : ground.places)
        filled.hosts.emplace_back(host_of_.at(place.node));
    for (const PromisedRoom& room : question.reclaim->promised)
        ground.promised[room.node_id].push_back(room.request);
    if (question.spec.num_nodes > 1) {
        ground.gang = scheduler::gang_rules(question.spec);
        ground.seats.reserve(ground.places.size());
        for (std::size_t i = 0; i < ground.places.size(); ++i) {
            const auto [site, host] = filled.hosts[i];
            ground.seats.push_back(
                scheduler::seat_on(site->site, host->node(), ground.places[i].request)
            );
        }
    }
    // Fragments of a node are weighed by the pool of the first accelerator that it could give.
    filled.pool_of = [this, &filled](std::size_t place) -> const Pool& {
        const std::vector<scheduler::Place>& places = filled.ground.places;
        if (filled.first_place.empty())
            for (std::size_t i = 0; i < places.size(); ++i)
                filled.first_place.try_emplace(places[i].node, i);
        const std::size_t first = filled.first_place.at(places[place].node);
        const Pool* pool = ready_pool(*filled.hosts[first].first, sku_of(places[first].request));
        CHECK(pool != nullptr, "a node that suits a request lies in its pool");
        return *pool;
    };
    ground.overlay = [&filled](std::size_t place) {
        return std::make_unique<HostOverlay>(
            *filled.hosts[place].second, place, filled.leavable, filled.pool_of
        );
    };
}

DecisionAnswer Engine::decide_reclaim(const DecisionQuestion& question) {
    Ground filled(question.reclaim->leavable);
    fill(filled, question);
    const scheduler::ReclaimGround& ground = filled.ground;
    DecisionAnswer answer;
    answer.plan.spec_sha256 = question.spec_sha256;
    answer.plan.strategy =
        question.spec.placement ? question.spec.placement->optimize : balanced_strategy();
    if (ground.places.empty()) return answer;
    scheduler::Asker asker = asker_of(question);
    if (question.spec.num_nodes > 1)
        asker.of_all = of_all_members(ground.places.front().request, question.spec.num_nodes);
    const scheduler::FairQueue queue =
        scheduler::FairQueue::of(scheduler::amounts_of(total_), question.reclaim->tenants);
    const std::optional<scheduler::Reclaim> found =
        scheduler::plan_reclaim(queue, asker, ground, question.now);
    if (!found) return answer;
    ReclaimAnswer& reclaim = answer.reclaim.emplace();
    for (const scheduler::Place& place : found->places)
        reclaim.places.push_back({place.node, place.request});
    for (std::size_t i = 0; i < found->victims.size(); ++i) {
        const std::uint64_t id = found->victims[i].id;
        const Host& host = *filled.hosts.at(place_of(id)).second;
        reclaim.victims.push_back({host.holds().at(hold_of(id)).attempt, found->claims[i]});
    }
    if (ground.gang) reclaim.cell = scheduler::name_of(found->level);
    return answer;
}

}  // namespace penstock::dispatch
