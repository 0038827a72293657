// SPDX-License-Identifier: Apache-2.0
#include "scheduler/gang.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

namespace penstock::scheduler {
namespace {

using Seats = std::vector<const Seat*>;
using Cells = std::map<std::string, Seats>;

// By name.
Cells cells_of(const Seats& seats, GangLevel level) {
    std::unordered_map<CellName, Seats, CellHash> found;
    for (const Seat* seat : seats)
        if (const std::optional<CellName> name = cell_of(*seat, level))
            found[*name].push_back(seat);
    Cells cells;
    for (auto& [name, members] : found) cells.emplace(to_string(name), std::move(members));
    return cells;
}

std::int64_t score_of(const Seats& seats) {
    std::int64_t sum = 0;
    for (const Seat* seat : seats) sum += seat->score;
    return sum;
}

void keep_first(Seats& seats, std::size_t count) { seats.resize(std::min(seats.size(), count)); }

// The tightest of the cells with room for `count`, of equal ones the best, then the first.
const Cells::value_type* tightest(const Cells& cells, std::size_t count) {
    const Cells::value_type* best = nullptr;
    for (const auto& cell : cells) {
        if (cell.second.size() < count) continue;
        const auto key = [](const Cells::value_type& each) {
            return std::tuple(each.second.size(), score_of(each.second));
        };
        if (best == nullptr || key(cell) < key(*best)) best = &cell;
    }
    return best;
}

// `count` of the seats from as few cells as do: the tightest that takes all of the rest, or else
// the roomiest whole. Seats without a cell come last.
Seats over(const Seats& seats, Cells cells, std::size_t count) {
    Seats taken;
    while (taken.size() < count && !cells.empty()) {
        const Cells::value_type* cell = tightest(cells, count - taken.size());
        if (cell == nullptr)
            cell = &*std::ranges::max_element(cells, {}, [](const Cells::value_type& each) {
                return std::tuple(each.second.size(), -score_of(each.second));
            });
        Seats here = cell->second;
        keep_first(here, count - taken.size());
        taken.insert(taken.end(), here.begin(), here.end());
        cells.erase(cell->first);
    }
    const std::set<const Seat*> known(taken.begin(), taken.end());
    for (const Seat* seat : seats)
        if (taken.size() < count && !known.contains(seat)) taken.push_back(seat);
    return taken;
}

struct Found {
    Seats members;
    GangLevel level = GangLevel::site;
    std::string cell;
};

class Chooser {
  public:
    Chooser(Seats seats, const GangRules& rules) : seats_(std::move(seats)), rules_(rules) {
        if (rules.spread) keep_one_in_each(*rules.spread);
    }

    std::optional<Found> choose() const {
        std::optional<Found> best = in_one_site(cells_of(seats_, GangLevel::site));
        for (const GangLevel level : {GangLevel::metro, GangLevel::any}) {
            if (best || rules_.widest < level) return best;
            best = over_sites(cells_of(seats_, level), level);
        }
        return best;
    }

    // The roomiest of the largest cells that the rules allow.
    std::pair<std::int64_t, std::string> roomiest() const {
        std::pair<std::int64_t, std::string> most;
        for (const auto& [name, seats] : cells_of(seats_, rules_.widest))
            if (std::ssize(seats) > most.first) most = {std::ssize(seats), name};
        return most;
    }

  private:
    std::size_t count() const { return static_cast<std::size_t>(rules_.members); }

    // The best seat of each rack, or of each site.
    void keep_one_in_each(GangLevel level) {
        std::unordered_set<CellName, CellHash> seen;
        std::erase_if(seats_, [&](const Seat* seat) {
            return !seen.insert(spread_cell_of(*seat, level)).second;
        });
    }

    std::optional<Found> in_one_site(const Cells& sites) const {
        std::optional<Found> best;
        for (const auto& [name, seats] : sites) {
            std::optional<Found> found = in_site(name, seats);
            const auto key = [](const Found& each) {
                return std::tuple(score_of(each.members), each.level);
            };
            if (found && (!best || key(*found) < key(*best))) best = std::move(found);
        }
        return best;
    }

    std::optional<Found> in_site(const std::string& site, const Seats& seats) const {
        if (seats.size() < count()) return std::nullopt;
        const Cells domains = cells_of(seats, GangLevel::domain);
        const Cells racks = cells_of(seats, GangLevel::rack);
        if (const auto* cell = tightest(domains, count())) return best_of(*cell, GangLevel::domain);
        if (rules_.widest < GangLevel::rack) return std::nullopt;
        if (const auto* cell = tightest(racks, count())) return best_of(*cell, GangLevel::rack);
        if (rules_.widest < GangLevel::site) return std::nullopt;
        return Found{over(seats, racks, count()), GangLevel::site, site};
    }

    Found best_of(const Cells::value_type& cell, GangLevel level) const {
        Found found{cell.second, level, cell.first};
        keep_first(found.members, count());
        return found;
    }

    // The cell with the fewest sites, then the least score.
    std::optional<Found> over_sites(const Cells& cells, GangLevel level) const {
        std::optional<Found> best;
        std::tuple<std::size_t, std::int64_t> best_key;
        for (const auto& [name, seats] : cells) {
            if (seats.size() < count()) continue;
            Found found{over(seats, cells_of(seats, GangLevel::site), count()), level, name};
            std::set<std::string> sites;
            for (const Seat* seat : found.members) sites.insert(seat->site);
            if (rules_.max_sites && std::ssize(sites) > *rules_.max_sites) continue;
            const std::tuple key(sites.size(), score_of(found.members));
            if (best && best_key <= key) continue;
            best = std::move(found);
            best_key = key;
        }
        return best;
    }

    Seats seats_;
    const GangRules& rules_;
};

GangChoice choice_of(Found found) {
    GangChoice choice{.level = found.level, .cell = std::move(found.cell)};
    std::ranges::sort(found.members, {}, [](const Seat* seat) {
        return std::tie(seat->site, seat->rack, seat->domain, seat->node);
    });
    std::set<std::string> sites;
    for (const Seat* seat : found.members) {
        choice.members.push_back(seat->candidate);
        sites.insert(seat->site);
    }
    choice.sites = std::ssize(sites);
    return choice;
}

}  // namespace

std::string_view name_of(GangLevel level) {
    switch (level) {
        case GangLevel::domain:
            return "domain";
        case GangLevel::rack:
            return "rack";
        case GangLevel::site:
            return "site";
        case GangLevel::metro:
            return "metro";
        case GangLevel::any:
            return "any";
    }
    return "";
}

Seat seat_on(const Site& site, const Node& node, const ResourceRequest& request) {
    const auto label = [&](const char* name) {
        const auto found = node.labels.find(name);
        return found == node.labels.end() ? std::string() : found->second;
    };
    return {
        .candidate = 0,
        .site = site.spec.name,
        .region = site.spec.region,
        .rack = label(kRackLabel),
        .domain = label(kDomainLabel),
        .node = node.name,
        .accelerator = request.accelerator ? to_string(*request.accelerator) : ""
    };
}

std::string to_string(const CellName& name) {
    std::string text(name.whole);
    if (name.part) text.append("/").append(*name.part);
    return text;
}

std::size_t CellHash::operator()(const CellName& name) const {
    constexpr std::size_t kOdd = 0x9E3779B97F4A7C15;
    const std::hash<std::string_view> hash;
    return hash(name.whole) * kOdd ^ (name.part ? hash(*name.part) : 0);
}

std::optional<CellName> cell_of(const Seat& seat, GangLevel level) {
    const auto named = [](const CellName& name) {
        const std::string_view last = name.part.value_or(name.whole);
        return last.empty() ? std::nullopt : std::optional(name);
    };
    switch (level) {
        case GangLevel::domain:
            return named({seat.site, seat.domain});
        case GangLevel::rack:
            return named({seat.site, seat.rack});
        case GangLevel::site:
            return named({seat.site});
        case GangLevel::metro:
            return named({seat.region});
        case GangLevel::any:
            return CellName{"all sites"};
    }
    return std::nullopt;
}

CellName spread_cell_of(const Seat& seat, GangLevel level) {
    if (level == GangLevel::site) return {seat.site};
    return {seat.site, seat.rack};
}

GangRules gang_rules(const TaskSpec& spec) {
    GangRules rules{.members = spec.num_nodes};
    if (!spec.placement || !spec.placement->topology) return rules;
    const TopologySpec& topology = *spec.placement->topology;
    for (const GangLevel level :
         {GangLevel::domain, GangLevel::rack, GangLevel::site, GangLevel::metro, GangLevel::any})
        if (topology.pack == name_of(level)) rules.widest = level;
    if (topology.spread)
        rules.spread = *topology.spread == "site" ? GangLevel::site : GangLevel::rack;
    rules.max_sites = topology.max_sites;
    if (rules.max_sites == 1) rules.widest = std::min(rules.widest, GangLevel::site);
    return rules;
}

std::optional<GangChoice> choose_gang(
    const std::vector<Seat>& seats, const GangRules& rules, GangShortfall* shortfall
) {
    std::vector<std::string> accelerators;
    std::set<std::string> nodes;
    for (const Seat& seat : seats) {
        nodes.insert(seat.site + "/" + seat.node);
        if (std::ranges::find(accelerators, seat.accelerator) == accelerators.end())
            accelerators.push_back(seat.accelerator);
    }
    if (shortfall != nullptr) shortfall->room = std::ssize(nodes);
    for (const std::string& accelerator : accelerators) {
        Seats equal;
        std::set<std::string> seen;
        for (const Seat& seat : seats)
            if (seat.accelerator == accelerator && seen.insert(seat.site + "/" + seat.node).second)
                equal.push_back(&seat);
        const Chooser chooser(std::move(equal), rules);
        if (std::optional<Found> found = chooser.choose()) return choice_of(*std::move(found));
        if (shortfall == nullptr) continue;
        auto [nearest, cell] = chooser.roomiest();
        if (nearest <= shortfall->nearest) continue;
        shortfall->nearest = nearest;
        shortfall->cell = std::move(cell);
    }
    return std::nullopt;
}

}  // namespace penstock::scheduler
