// SPDX-License-Identifier: Apache-2.0
#include "scheduler/reclaim.h"

#include <algorithm>
#include <map>
#include <ranges>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "scheduler/clearing.h"

namespace penstock::scheduler {
namespace {

bool fits_in(const Amounts& free, const Amounts& asked) {
    const auto has_model = [&](const auto& model) {
        return free.of_model(model.first) >= model.second;
    };
    return free.cpu_milli >= asked.cpu_milli && free.memory_mib >= asked.memory_mib &&
           std::ranges::all_of(asked.models, has_model);
}

void add_victims(Reclaim& reclaim, const Victims& victims) {
    for (const auto& [victim, claim] : victims) {
        reclaim.victims.push_back(*victim);
        reclaim.claims.push_back(claim);
    }
}

// The first of the best; where several cost the same, the one that leaves the fewest fragments.
// `fragments(i)` is asked for those alone.
template <class Option, class Fragments>
std::vector<std::size_t> best_first(
    const std::vector<Option>& options, const Fragments& fragments
) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < options.size(); ++i) order.push_back(i);
    std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(options[i].cost, i); });
    const auto ends = std::ranges::find_if(order, [&](std::size_t i) {
        return options[i].cost != options[order.front()].cost;
    });
    const auto equal = std::min<std::ptrdiff_t>(ends - order.begin(), kEqualCostsWeighed);
    if (equal < 2) return order;
    std::vector<std::pair<std::int64_t, std::size_t>> weighed;
    for (std::ptrdiff_t i = 0; i < equal; ++i)
        weighed.emplace_back(
            fragments(options[order[static_cast<std::size_t>(i)]]),
            order[static_cast<std::size_t>(i)]
        );
    std::ranges::sort(weighed);
    for (std::size_t i = 0; i < weighed.size(); ++i) order[i] = weighed[i].second;
    return order;
}

// ---- one place

struct OnePlace {
    std::size_t place = 0;
    ClearingCost cost;
};

std::optional<Reclaim> plan_for_one(
    const FairQueue& queue, const Asker& asker, const ReclaimGround& ground, Time now
) {
    std::vector<OnePlace> options;
    for (std::size_t i = 0; i < ground.places.size(); ++i) {
        const std::optional<Cleared> cleared = clear_place(queue, asker, ground, i, now);
        if (!cleared || cleared->victims.empty()) continue;  // with room nobody has to leave
        options.push_back({i, cleared->cost});
    }
    if (options.empty()) return std::nullopt;
    const std::size_t best = best_first(options, [&](const OnePlace& option) {
                                 return clear_place(queue, asker, ground, option.place, now)
                                     ->fragments_grown(ground.places[option.place]);
                             }).front();
    Reclaim reclaim{.places = {ground.places[options[best].place]}};
    add_victims(reclaim, clear_place(queue, asker, ground, options[best].place, now)->victims);
    return reclaim;
}

// ---- gangs

// A place of the gang that has room or can be cleared. Who has to leave is found again where it is
// weighed: most never are.
struct Member {
    std::size_t place = 0;
    const Seat* seat = nullptr;
    bool has_room = false;
    ClearingCost cost;
};
using Members = std::vector<const Member*>;  // the cheapest first

struct Cell {
    ClearingCost cost;
    Members members;  // more than the gang has, to fall back on; its own come first
};

class GangPlanner {
  public:
    GangPlanner(const FairQueue& queue, const Asker& asker, const ReclaimGround& ground, Time now)
        : queue_(queue), asker_(asker), ground_(ground), rules_(*ground.gang), now_(now) {}

    // With the first accelerator that allows it.
    std::optional<Reclaim> plan() const {
        for (const std::vector<std::size_t>& places : by_accelerator())
            if (std::optional<Reclaim> found = plan_on(places)) {
                if (found->victims.empty()) break;  // there is room: nobody has to leave
                return found;
            }
        return std::nullopt;
    }

  private:
    std::size_t count() const { return static_cast<std::size_t>(rules_.members); }

    // The places of each accelerator, in the order in which the first of each came.
    std::vector<std::vector<std::size_t>> by_accelerator() const {
        std::vector<std::string_view> accelerators;
        std::vector<std::vector<std::size_t>> places;
        std::size_t at = 0;
        for (std::size_t i = 0; i < ground_.seats.size(); ++i) {
            const std::string_view accelerator = ground_.seats[i].accelerator;
            if (at == accelerators.size() || accelerators[at] != accelerator)
                at = static_cast<std::size_t>(
                    std::ranges::find(accelerators, accelerator) - accelerators.begin()
                );
            if (at == accelerators.size()) {
                accelerators.push_back(accelerator);
                places.emplace_back();
            }
            places[at].push_back(i);
        }
        return places;
    }

    std::optional<Reclaim> plan_on(const std::vector<std::size_t>& places) const {
        const std::vector<Member> all = members_on(places);
        if (all.size() < count()) return std::nullopt;
        Members sorted;
        for (const Member& each : all) sorted.push_back(&each);
        // Of equal ones the first: they lie in one array.
        std::ranges::sort(sorted, [](const Member* left, const Member* right) {
            const auto order = left->cost <=> right->cost;
            return order != 0 ? order < 0 : left < right;
        });
        for (const GangLevel level :
             {GangLevel::domain, GangLevel::rack, GangLevel::site, GangLevel::metro, GangLevel::any
             }) {
            if (level > rules_.widest) break;
            const std::vector<Cell> cells = cells_of(level, sorted);
            for (const std::size_t i :
                 best_first(cells, [this](const Cell& cell) { return fragments_of(cell); }))
                if (std::optional<Reclaim> found = settle(cells[i], level)) return found;
        }
        return std::nullopt;
    }

    std::vector<Member> members_on(const std::vector<std::size_t>& places) const {
        std::vector<Member> all;
        all.reserve(places.size());
        std::unordered_set<NodeId> seen;
        seen.reserve(places.size());
        for (const std::size_t place : places) {
            if (!seen.insert(ground_.places[place].node).second) continue;
            if (const auto cleared = clear_place(queue_, asker_, ground_, place, now_))
                all.push_back(
                    {place, &ground_.seats[place], cleared->victims.empty(), cleared->cost}
                );
        }
        return all;
    }

    // The cells of that kind that hold the gang, by name, each with its cheapest members.
    std::vector<Cell> cells_of(GangLevel level, const Members& sorted) const {
        std::unordered_map<CellName, Members, CellHash> found;
        for (const Member* each : sorted)
            if (const std::optional<CellName> name = cell_of(*each->seat, level))
                found[*name].push_back(each);
        std::map<std::string, Members*> by_name;
        for (auto& [name, members] : found)
            if (members.size() >= count()) by_name.emplace(to_string(name), &members);
        std::vector<Cell> cells;
        for (Members* members : std::views::values(by_name)) {
            if (rules_.spread) keep_one_in_each(*members);
            if (level >= GangLevel::metro) keep_few_sites(*members);
            if (members->size() < count()) continue;
            Cell cell{.cost = {}, .members = std::move(*members)};
            for (const Member* each : cell.members | std::views::take(rules_.members))
                cell.cost.add(each->cost);
            cells.push_back(std::move(cell));
        }
        return cells;
    }

    void keep_one_in_each(Members& members) const {
        std::unordered_set<CellName, CellHash> seen;
        std::erase_if(members, [&](const Member* each) {
            return !seen.insert(spread_cell_of(*each->seat, *rules_.spread)).second;
        });
    }

    // As few sites as hold the gang, the roomiest first; none where that is more than is allowed.
    void keep_few_sites(Members& members) const {
        std::map<std::string, std::size_t> room;
        for (const Member* each : members) ++room[each->seat->site];
        std::vector<std::pair<std::size_t, std::string>> sites;
        for (const auto& [site, seats] : room) sites.emplace_back(seats, site);
        std::ranges::sort(sites, [](const auto& a, const auto& b) {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        });
        std::set<std::string> kept;
        std::size_t held = 0;
        for (const auto& [seats, site] : sites) {
            if (held >= count()) break;
            if (rules_.max_sites && std::ssize(kept) == *rules_.max_sites) break;
            kept.insert(site);
            held += seats;
        }
        std::erase_if(members, [&](const Member* each) {
            return !kept.contains(each->seat->site);
        });
    }

    std::int64_t fragments_of(const Cell& cell) const {
        std::int64_t sum = 0;
        for (const Member* each : cell.members | std::views::take(rules_.members))
            sum += clear_place(queue_, asker_, ground_, each->place, now_)
                       ->fragments_grown(ground_.places[each->place]);
        return sum;
    }

    // All members together: what each side gives up is counted over all nodes, so that a member
    // may be left out which alone could be cleared; another takes its place.
    std::optional<Reclaim> settle(const Cell& cell, GangLevel level) const {
        Reclaim reclaim{.places = {}, .victims = {}, .claims = {}, .level = level};
        std::vector<Cleared> kept;  // victims are of their overlays
        Victims victims;
        std::vector<const Member*> chosen;
        for (const Member* each : cell.members) {
            if (chosen.size() == count()) break;
            if (!each->has_room) {
                std::optional<Cleared> again =
                    clear_place(queue_, asker_, ground_, each->place, now_, victims);
                if (!again) continue;
                victims.insert(victims.end(), again->victims.begin(), again->victims.end());
                kept.push_back(*std::move(again));
            }
            chosen.push_back(each);
        }
        if (chosen.size() < count()) return std::nullopt;
        // Neighbours of a rack follow each other.
        std::ranges::sort(chosen, {}, [](const Member* each) {
            const Seat& seat = *each->seat;
            return std::tie(seat.site, seat.rack, seat.domain, seat.node);
        });
        for (const Member* each : chosen) reclaim.places.push_back(ground_.places[each->place]);
        add_victims(reclaim, victims);
        return reclaim;
    }

    const FairQueue& queue_;
    const Asker& asker_;
    const ReclaimGround& ground_;
    const GangRules& rules_;
    Time now_;
};

}  // namespace

Claim claim_on(const Asker& asker, const Resident& resident, const std::function<bool()>& is_lent) {
    const bool same_project = asker.tenant == resident.tenant;
    if (same_project && resident.priority > asker.priority) return Claim::none;
    if (resident.spot && !asker.spot) return Claim::spot;
    if (same_project && resident.priority < asker.priority && asker.spot == resident.spot)
        return Claim::priority;
    if (!asker.spot && is_lent()) return Claim::guarantee;
    return Claim::none;
}

bool may_claim(
    const FairQueue& queue, const Asker& asker, const std::vector<Amounts>& asked,
    const Resident& resident
) {
    return claim_on(asker, resident, [&] {
               return std::ranges::any_of(asked, [&](const Amounts& each) {
                   return queue.is_due(asker.tenant, each, resident.tenant);
               });
           }) != Claim::none;
}

bool AmountsOverlay::fits(const ResourceRequest& request) const {
    return fits_in(free_, amounts_of(request));
}

std::int64_t AmountsOverlay::fragments_grown(const ResourceRequest& request) const {
    const Amounts asked = amounts_of(request);
    return asked.devices_milli > 0 ? free_.devices_milli - asked.devices_milli
                                   : free_.cpu_milli - asked.cpu_milli;
}

std::optional<Reclaim> plan_reclaim(
    const FairQueue& queue, const Asker& asker, const ReclaimGround& ground, Time now
) {
    if (ground.gang) return GangPlanner(queue, asker, ground, now).plan();
    return plan_for_one(queue, asker, ground, now);
}

}  // namespace penstock::scheduler
