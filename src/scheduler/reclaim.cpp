// SPDX-License-Identifier: Apache-2.0
#include "scheduler/reclaim.h"

#include <algorithm>
#include <tuple>

namespace penstock::scheduler {
namespace {

__extension__ using Wide = __int128;

Wide work_lost(const Resident& resident) {
    const std::int64_t devices =
        resident.request.accelerator ? resident.request.accelerator->count_milli : 0;
    return Wide{resident.unsaved.count()} * std::max<std::int64_t>(devices, 1);
}

bool fits(const Amounts& free, const Amounts& asked) {
    const auto has_model = [&](const auto& model) {
        return free.of_model(model.first) >= model.second;
    };
    return free.cpu_milli >= asked.cpu_milli && free.memory_mib >= asked.memory_mib &&
           std::ranges::all_of(asked.models, has_model);
}

// Cheapest first.
auto cost_of(const Resident& resident) {
    return std::tuple(!resident.spot, resident.priority, work_lost(resident), resident.id);
}

struct Option {
    Reclaim reclaim;
    bool beyond_spot = false;
    std::int64_t priority = 0;
    Wide lost = 0;
    std::int64_t left_over = 0;

    auto cost() const { return std::tuple(beyond_spot, priority, lost, left_over); }
};

// One node being cleared for one request.
class Clearing {
  public:
    Clearing(
        const FairQueue& queue, const Asker& asker, const Place& place, const NodeResidents& node,
        const std::vector<Resident>& beside = {}
    )
        : queue_(queue),
          asker_(asker),
          place_(place),
          beside_(beside),
          asked_(amounts_of(place.request)),
          free_(amounts_of(node.free)) {
        for (const Resident& each : node.residents)
            if (each.leaves) free_.add(amounts_of(each.request));
        for (const ResourceRequest& each : node.promised) free_.add(amounts_of(each), -1);
    }

    bool has_room() const { return fits(free_, asked_); }

    std::optional<Option> clear(const NodeResidents& node, Time now) {
        std::vector<const Resident*> order;
        for (const Resident& each : node.residents)
            if (each.preemptible && !each.leaves && (!each.quiet_until || now >= *each.quiet_until))
                order.push_back(&each);
        std::ranges::sort(order, [](const Resident* a, const Resident* b) {
            return cost_of(*a) < cost_of(*b);
        });
        for (const Resident* each : order) {
            if (fits(free_, asked_)) break;
            stop(*each);
        }
        if (!fits(free_, asked_) || victims_.empty()) return std::nullopt;
        spare();
        return option();
    }

  private:
    // What all victims of a resident's side hold. Another organisation answers as a whole.
    Amounts given_up_beside(const Resident& resident) const {
        const bool own = resident.tenant.organisation == asker_.tenant.organisation;
        Amounts part = amounts_of(resident.request);
        const auto add = [&](const Resident& victim) {
            const bool same_side = own ? victim.tenant == resident.tenant
                                       : victim.tenant.organisation == resident.tenant.organisation;
            if (same_side) part.add(amounts_of(victim.request));
        };
        for (const Resident& victim : beside_) add(victim);
        for (const auto& [victim, claim] : victims_) add(*victim);
        return part;
    }
    void stop(const Resident& resident) {
        const Claim claim = claim_on(
            queue_, asker_, asker_.of_all.value_or(asked_), resident, given_up_beside(resident)
        );
        if (claim == Claim::none) return;
        victims_.emplace_back(&resident, claim);
        free_.add(amounts_of(resident.request));
    }
    // Who need not leave after all, the dearest first.
    void spare() {
        for (std::size_t i = victims_.size(); i-- > 0;) {
            const Amounts back = amounts_of(victims_[i].first->request);
            free_.add(back, -1);
            if (fits(free_, asked_))
                victims_.erase(victims_.begin() + static_cast<std::ptrdiff_t>(i));
            else
                free_.add(back);
        }
    }
    Option option() const {
        Option option{.reclaim = {.places = {place_}}};
        bool first = true;
        for (const auto& [victim, claim] : victims_) {
            option.reclaim.victims.push_back(*victim);
            option.reclaim.claims.push_back(claim);
            option.beyond_spot = option.beyond_spot || !victim->spot;
            option.priority =
                first ? victim->priority : std::max(option.priority, victim->priority);
            option.lost += work_lost(*victim);
            first = false;
        }
        option.left_over = asked_.devices_milli > 0 ? free_.devices_milli - asked_.devices_milli
                                                    : free_.cpu_milli - asked_.cpu_milli;
        return option;
    }

    const FairQueue& queue_;
    const Asker& asker_;
    const Place& place_;
    const std::vector<Resident>& beside_;  // who leaves other nodes for it
    Amounts asked_;
    Amounts free_;
    std::vector<std::pair<const Resident*, Claim>> victims_;
};

// Of a gang's places those it would take: free ones first, then what costs the least to clear.
std::vector<Place> cheapest_first(
    const FairQueue& queue, const Asker& asker, const std::vector<Place>& places,
    const std::map<NodeId, NodeResidents>& nodes, Time now
) {
    std::vector<std::tuple<Option, std::size_t>> to_clear;
    std::vector<Place> order;
    for (std::size_t i = 0; i < places.size(); ++i) {
        const auto node = nodes.find(places[i].node);
        if (node == nodes.end()) continue;
        Clearing clearing(queue, asker, places[i], node->second);
        if (clearing.has_room())
            order.push_back(places[i]);
        else if (std::optional<Option> option = clearing.clear(node->second, now))
            to_clear.emplace_back(*std::move(option), i);
    }
    std::ranges::sort(to_clear, {}, [](const auto& each) {
        return std::pair(std::get<Option>(each).cost(), std::get<std::size_t>(each));
    });
    for (const auto& [option, place] : to_clear) order.push_back(places[place]);
    return order;
}

std::optional<Reclaim> plan_for_gang(
    const FairQueue& queue, const Asker& asker, const std::vector<Place>& places,
    const std::map<NodeId, NodeResidents>& nodes, Time now, const Together& together
) {
    std::optional<std::vector<Place>> chosen =
        together(cheapest_first(queue, asker, places, nodes, now));
    if (!chosen) return std::nullopt;
    Reclaim all{.places = *std::move(chosen)};
    for (const Place& place : all.places) {
        const NodeResidents& node = nodes.at(place.node);
        const std::vector<Resident> beside = all.victims;
        Clearing clearing(queue, asker, place, node, beside);
        if (clearing.has_room()) continue;
        const std::optional<Option> option = clearing.clear(node, now);
        if (!option) return std::nullopt;
        const Reclaim& one = option->reclaim;
        all.victims.insert(all.victims.end(), one.victims.begin(), one.victims.end());
        all.claims.insert(all.claims.end(), one.claims.begin(), one.claims.end());
    }
    if (all.victims.empty()) return std::nullopt;
    return all;
}

}  // namespace

Claim claim_on(
    const FairQueue& queue, const Asker& asker, const Amounts& asked, const Resident& resident,
    const Amounts& part
) {
    const bool same_project = asker.tenant == resident.tenant;
    if (same_project && resident.priority > asker.priority) return Claim::none;
    if (resident.spot && !asker.spot) return Claim::spot;
    if (same_project && resident.priority < asker.priority && asker.spot == resident.spot)
        return Claim::priority;
    if (!asker.spot && queue.may_reclaim(asker.tenant, asked, resident.tenant, part))
        return Claim::guarantee;
    return Claim::none;
}

std::optional<Reclaim> plan_reclaim(
    const FairQueue& queue, const Asker& asker, const std::vector<Place>& places,
    const std::map<NodeId, NodeResidents>& nodes, Time now, const Together& together
) {
    if (together) return plan_for_gang(queue, asker, places, nodes, now, together);
    std::optional<Option> best;
    for (const Place& place : places) {
        const auto node = nodes.find(place.node);
        if (node == nodes.end()) continue;
        std::optional<Option> option =
            Clearing(queue, asker, place, node->second).clear(node->second, now);
        if (option && (!best || option->cost() < best->cost())) best = std::move(option);
    }
    if (!best) return std::nullopt;
    return std::move(best->reclaim);
}

}  // namespace penstock::scheduler
