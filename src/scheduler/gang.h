// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/plan.h"
#include "model/site.h"
#include "model/task_spec.h"

namespace penstock::scheduler {

// Kinds of cells in which the members of a gang may lie, smallest first. A node says in its labels
// which domain and rack it stands in; a node without the label stands in none. A metro is all sites
// of one region.
enum class GangLevel : std::uint8_t { domain, rack, site, metro, any };
inline constexpr const char* kDomainLabel = "nvlink_domain";
inline constexpr const char* kRackLabel = "rack";
std::string_view name_of(GangLevel level);

// What a spec says of it. Without placement.topology a gang lies within one site.
struct GangRules {
    std::int64_t members = 1;
    GangLevel widest = GangLevel::site;
    std::optional<GangLevel> spread;  // rack or site: no two members in the same one
    std::optional<std::int64_t> max_sites;
};
GangRules gang_rules(const TaskSpec& spec);

// A node that could take one member.
struct Seat {
    std::size_t candidate = 0;  // its index, for the caller
    std::string site, region, rack, domain, node;
    std::string accelerator;  // members have equal ones
    std::int64_t score = 0;   // lower is better
};

// A seat on that node; candidate and score are the caller's.
Seat seat_on(const Site& site, const Node& node, const ResourceRequest& request);

// A cell by its name, in parts that lie in a seat: "here/r1" is a rack or a domain of a site,
// "here" a site, "cn-hubei" a metro. No two cells of one kind have the same name.
struct CellName {
    std::string_view whole;
    std::optional<std::string_view> part = {};
    bool operator==(const CellName&) const = default;
};
std::string to_string(const CellName& name);
// Where the seat lies; nullopt: in no cell of that kind.
std::optional<CellName> cell_of(const Seat& seat, GangLevel level);
// The same for members that are to be spread, over racks or sites: seats of a site without a rack
// lie in one.
CellName spread_cell_of(const Seat& seat, GangLevel level);
struct CellHash {
    std::size_t operator()(const CellName& name) const;
};

struct GangChoice {
    std::vector<std::size_t>
        members;  // candidates, by rank: neighbours of a rack follow each other
    GangLevel level = GangLevel::site;
    std::string cell;
    std::int64_t sites = 1;
};

// The nearest that was found where no cell holds it.
struct GangShortfall {
    std::int64_t room = 0;     // nodes that could take a member, wherever they are
    std::int64_t nearest = 0;  // of them in the roomiest cell that the rules allow
    std::string cell;
};

// Chooses the nodes of a gang, each once. Where several sites hold it, the one whose best members
// have the least sum of scores; in the site the smallest cell that holds it, and of equal kinds the
// tightest. Only a gang that no site holds goes over several, as few as do. `seats` come best
// first; the first accelerator with which it can be placed is taken. Pure and deterministic.
std::optional<GangChoice> choose_gang(
    const std::vector<Seat>& seats, const GangRules& rules, GangShortfall* shortfall = nullptr
);

}  // namespace penstock::scheduler
