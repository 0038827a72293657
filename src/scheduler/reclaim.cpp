// SPDX-License-Identifier: Apache-2.0
#include "scheduler/reclaim.h"

#include <algorithm>
#include <map>
#include <ranges>
#include <set>

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
    const Place* place = nullptr;
    Cleared cleared;
    ClearingCost cost;
};

std::optional<Reclaim> plan_for_one(
    const FairQueue& queue, const Asker& asker, const ReclaimGround& ground, Time now
) {
    std::vector<OnePlace> options;
    for (const Place& place : ground.places) {
        std::optional<Cleared> cleared = clear_place(queue, asker, ground, place, now);
        if (!cleared || cleared->victims.empty()) continue;  // with room nobody has to leave
        const ClearingCost cost = cleared->cost;
        options.push_back({&place, *std::move(cleared), cost});
    }
    if (options.empty()) return std::nullopt;
    const std::size_t best = best_first(options, [](const OnePlace& option) {
                                 return option.cleared.fragments_grown(*option.place);
                             }).front();
    Reclaim reclaim{.places = {*options[best].place}};
    add_victims(reclaim, options[best].cleared.victims);
    return reclaim;
}

// ---- gangs

// A place of the gang that has room or can be cleared.
struct Member {
    const Place* place = nullptr;
    const Seat* seat = nullptr;
    Cleared cleared;
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
        std::vector<std::string> accelerators;
        for (const Seat& seat : ground_.seats)
            if (std::ranges::find(accelerators, seat.accelerator) == accelerators.end())
                accelerators.push_back(seat.accelerator);
        for (const std::string& accelerator : accelerators)
            if (std::optional<Reclaim> found = plan_with(accelerator)) {
                if (found->victims.empty()) break;  // there is room: nobody has to leave
                return found;
            }
        return std::nullopt;
    }

  private:
    std::size_t count() const { return static_cast<std::size_t>(rules_.members); }

    std::optional<Reclaim> plan_with(const std::string& accelerator) const {
        const std::vector<Member> all = members_with(accelerator);
        if (all.size() < count()) return std::nullopt;
        Members sorted;
        for (const Member& each : all) sorted.push_back(&each);
        // Of equal ones the first: they lie in one array.
        std::ranges::sort(sorted, {}, [](const Member* each) {
            return std::pair(each->cleared.cost, each);
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

    std::vector<Member> members_with(const std::string& accelerator) const {
        std::vector<Member> all;
        std::set<NodeId> seen;
        for (std::size_t i = 0; i < ground_.places.size(); ++i) {
            const Place& place = ground_.places[i];
            if (ground_.seats[i].accelerator != accelerator || !seen.insert(place.node).second)
                continue;
            std::optional<Cleared> cleared = clear_place(queue_, asker_, ground_, place, now_);
            if (cleared) all.push_back({&place, &ground_.seats[i], *std::move(cleared)});
        }
        return all;
    }

    // The cells of that kind that hold the gang, each with its cheapest members.
    std::vector<Cell> cells_of(GangLevel level, const Members& sorted) const {
        std::map<std::string, Members> by_cell;
        for (const Member* each : sorted)
            if (const std::string name = cell_of(*each->seat, level); !name.empty())
                by_cell[name].push_back(each);
        std::vector<Cell> cells;
        for (Members& members : std::views::values(by_cell)) {
            if (rules_.spread) keep_one_in_each(members);
            if (level >= GangLevel::metro) keep_few_sites(members);
            if (members.size() < count()) continue;
            Cell cell{.cost = {}, .members = std::move(members)};
            for (const Member* each : cell.members | std::views::take(rules_.members))
                cell.cost.add(each->cleared.cost);
            cells.push_back(std::move(cell));
        }
        return cells;
    }

    static std::string cell_of(const Seat& seat, GangLevel level) {
        switch (level) {
            case GangLevel::domain:
                return seat.domain.empty() ? "" : seat.site + "/" + seat.domain;
            case GangLevel::rack:
                return seat.rack.empty() ? "" : seat.site + "/" + seat.rack;
            case GangLevel::site:
                return seat.site;
            case GangLevel::metro:
                return seat.region;
            case GangLevel::any:
                return "all sites";
        }
        return "";
    }

    void keep_one_in_each(Members& members) const {
        std::set<std::string> seen;
        std::erase_if(members, [&](const Member* each) {
            const Seat& seat = *each->seat;
            return !seen.insert(
                            rules_.spread == GangLevel::site ? seat.site
                                                             : seat.site + "/" + seat.rack
            )
                        .second;
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
            sum += each->cleared.fragments_grown(*each->place);
        return sum;
    }

    // All members together: what each side gives up is counted over all nodes, so that a member
    // may be left out which alone could be cleared; another takes its place.
    std::optional<Reclaim> settle(const Cell& cell, GangLevel level) const {
        Reclaim reclaim{.places = {}, .victims = {}, .claims = {}, .level = level};
        Victims victims;
        std::vector<std::pair<const Seat*, const Place*>> chosen;
        for (const Member* each : cell.members) {
            if (chosen.size() == count()) break;
            if (!each->cleared.victims.empty()) {
                const std::optional<Cleared> again =
                    clear_place(queue_, asker_, ground_, *each->place, now_, victims);
                if (!again) continue;
                victims.insert(victims.end(), again->victims.begin(), again->victims.end());
            }
            chosen.emplace_back(each->seat, each->place);
        }
        if (chosen.size() < count()) return std::nullopt;
        // Neighbours of a rack follow each other.
        std::ranges::sort(chosen, {}, [](const auto& each) {
            const Seat& seat = *each.first;
            return std::tie(seat.site, seat.rack, seat.domain, seat.node);
        });
        for (const auto& [seat, place] : chosen) reclaim.places.push_back(*place);
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

Claim claim_on(
    const FairQueue& queue, const Asker& asker, const Amounts& asked, const Resident& resident,
    const std::function<Amounts()>& part
) {
    const bool same_project = asker.tenant == resident.tenant;
    if (same_project && resident.priority > asker.priority) return Claim::none;
    if (resident.spot && !asker.spot) return Claim::spot;
    if (same_project && resident.priority < asker.priority && asker.spot == resident.spot)
        return Claim::priority;
    if (!asker.spot && queue.may_reclaim(asker.tenant, asked, resident.tenant, part()))
        return Claim::guarantee;
    return Claim::none;
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
