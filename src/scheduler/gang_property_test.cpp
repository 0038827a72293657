// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "scheduler/gang.h"

namespace penstock::scheduler {
namespace {

std::vector<Seat> any_seats() {
    std::vector<Seat> seats;
    const int count = *rc::gen::inRange(0, 24);
    for (int i = 0; i < count; ++i) {
        Seat seat{.candidate = seats.size(), .node = "n" + std::to_string(i)};
        seat.site = *rc::gen::element<std::string>("a", "b", "c", "d");
        seat.region = seat.site < "c" ? "east" : "west";
        seat.rack = *rc::gen::element<std::string>("", "r1", "r2");
        seat.domain = *rc::gen::element<std::string>("", "", "d1");
        seat.score = *rc::gen::inRange(0, 100);
        seats.push_back(std::move(seat));
    }
    std::ranges::sort(seats, {}, [](const Seat& seat) {
        return std::tuple(seat.score, seat.node);
    });
    for (std::size_t i = 0; i < seats.size(); ++i) seats[i].candidate = i;
    return seats;
}

GangRules any_rules() {
    GangRules rules{.members = *rc::gen::inRange(2, 8)};
    rules.widest = *rc::gen::element(
        GangLevel::domain, GangLevel::rack, GangLevel::site, GangLevel::metro, GangLevel::any
    );
    if (*rc::gen::inRange(0, 3) == 0)
        rules.spread = *rc::gen::element(GangLevel::rack, GangLevel::site);
    if (*rc::gen::inRange(0, 3) == 0) rules.max_sites = *rc::gen::inRange(1, 4);
    return rules;
}

std::string cell_text(const Seat& seat, GangLevel level) {
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
            return "all";
    }
    return "";
}

// Whether some cell of this kind has enough seats, counted the long way.
bool holds(const std::vector<Seat>& seats, const GangRules& rules, GangLevel level) {
    std::map<std::string, std::map<std::string, std::set<std::string>>> cells;  // sites, places
    for (const Seat& seat : seats) {
        std::string place = seat.node;
        if (rules.spread == GangLevel::rack) place = seat.rack;
        if (rules.spread == GangLevel::site) place = "";
        const std::string cell = cell_text(seat, level);
        if (!cell.empty()) cells[cell][seat.site].insert(place);
    }
    for (const auto& [name, sites] : cells) {
        std::vector<std::size_t> counts;
        for (const auto& [site, places] : sites) counts.push_back(places.size());
        std::ranges::sort(counts, std::greater<>());
        if (rules.max_sites && counts.size() > static_cast<std::size_t>(*rules.max_sites))
            counts.resize(static_cast<std::size_t>(*rules.max_sites));
        std::size_t sum = 0;
        for (const std::size_t count : counts) sum += count;
        if (sum >= static_cast<std::size_t>(rules.members)) return true;
    }
    return false;
}

RC_GTEST_PROP(ChooseGangProperty, FindsAPlaceExactlyWhereThereIsOneAndKeepsTheRules, ()) {
    const std::vector<Seat> seats = any_seats();
    const GangRules rules = any_rules();
    bool possible = false;
    for (const GangLevel level :
         {GangLevel::domain, GangLevel::rack, GangLevel::site, GangLevel::metro, GangLevel::any})
        possible = possible || (level <= rules.widest && holds(seats, rules, level));

    const std::optional<GangChoice> choice = choose_gang(seats, rules);

    // A rack or domain that holds it lies in a site that does: with spread the best node of a rack
    // stands for it, whatever its domain is, so only whole sites are compared there.
    if (!rules.spread || rules.widest >= GangLevel::site) RC_ASSERT(choice.has_value() == possible);
    if (!choice) return;
    std::set<std::size_t> members(choice->members.begin(), choice->members.end());
    RC_ASSERT(members.size() == static_cast<std::size_t>(rules.members));
    std::set<std::string> cells, sites, racks;
    for (const std::size_t member : members) {
        cells.insert(cell_text(seats[member], choice->level));
        sites.insert(seats[member].site);
        racks.insert(seats[member].site + "/" + seats[member].rack);
    }
    RC_ASSERT(cells.size() == 1U);
    RC_ASSERT(choice->level <= rules.widest);
    RC_ASSERT(sites.size() == static_cast<std::size_t>(choice->sites));
    if (rules.max_sites) RC_ASSERT(choice->sites <= *rules.max_sites);
    if (rules.spread == GangLevel::rack) RC_ASSERT(racks.size() == members.size());
    if (rules.spread == GangLevel::site) RC_ASSERT(sites.size() == members.size());
}

}  // namespace
}  // namespace penstock::scheduler
