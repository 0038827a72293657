// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <set>

#include "scheduler/amount_text.h"
#include "scheduler/explain.h"
#include "scheduler/gang.h"

// Gangs in a plan: which candidates its members are, and the words for it.
namespace penstock::scheduler {
namespace {

using fmt::format;

// After all that were scored: nodes that failed before, and those that have no room now.
constexpr std::int64_t kUnscored = 10 * kRegretMax * kOne;
static_assert(kUnscored <= std::numeric_limits<std::int64_t>::max() / kGangMembersMax);

std::string label(const Node& node, const char* name) {
    const auto found = node.labels.find(name);
    return found == node.labels.end() ? "" : found->second;
}

// One of the nodes that a candidate stands for.
struct Chair {
    std::size_t candidate = 0;
    const Node* node = nullptr;
};

// The seats that may be taken, and by their numbers whose they are.
class Room {
  public:
    explicit Room(const std::vector<Judged>& judged) : judged_(judged) {}

    void add(std::size_t candidate, std::int64_t score) {
        const Judged& judged = judged_[candidate];
        const std::optional<Accelerator>& asked = judged.candidate.request.accelerator;
        Seat seat{
            .candidate = 0,
            .site = judged.candidate.site,
            .region = judged.candidate.region,
            .rack = "",
            .domain = "",
            .node = "",
            .accelerator = asked ? to_string(*asked) : "",
            .score = score
        };
        if (judged.supply->peers == nullptr) return add(seat, {candidate, judged.supply->node});
        for (const Node* peer : *judged.supply->peers) add(seat, {candidate, peer});
    }
    // Of those that were left out.
    template <class Accept>
    void add_where(const Accept& accept) {
        for (std::size_t i = 0; i < judged_.size(); ++i)
            if (judged_[i].candidate.filter != FilterReason::none && accept(judged_[i]))
                add(i, kUnscored);
    }

    const std::vector<Seat>& seats() const { return seats_; }
    const Chair& chair(std::size_t seat) const { return chairs_[seat]; }

  private:
    void add(Seat seat, Chair chair) {
        seat.candidate = chairs_.size();
        seat.rack = label(*chair.node, kRackLabel);
        seat.domain = label(*chair.node, kDomainLabel);
        seat.node = chair.node->name;
        seats_.push_back(std::move(seat));
        chairs_.push_back(chair);
    }

    const std::vector<Judged>& judged_;
    std::vector<Seat> seats_;
    std::vector<Chair> chairs_;
};

// Those that can take a member now, best first.
Room room_now(const std::vector<Judged>& judged, const Objective& objective) {
    Room room(judged);
    for (const Scored& scored : objective.order) {
        const std::int64_t beyond = scored.outside ? kUnscored / 2 : 0;
        if (!judged[scored.candidate].candidate.start_at)
            room.add(scored.candidate, beyond + scored.score);
    }
    return room;
}

bool failed_here_only(const Judged& judged) {
    return judged.failing.count() == 1 &&
           judged.failing.contains(FilterReason::excluded_after_failure);
}

bool could_ever(Room room, const GangRules& rules) {
    room.add_where([](const Judged& each) { return is_temporary(each.candidate.filter); });
    return choose_gang(room.seats(), rules).has_value();
}

Candidate member_of(Candidate candidate, const Node& node) {
    candidate.node_id = node.id;
    candidate.node = node.name;
    candidate.alike.reset();
    candidate.chosen = true;
    if (candidate.filter == FilterReason::none) return candidate;
    candidate.filter = FilterReason::none;
    candidate.filter_detail = "failed here before; nothing else is left";
    return candidate;
}

// A candidate whose nodes have become members stands for the others; true: there are none.
bool stands_for_nobody(
    Candidate& candidate, const Supply& supply, const std::set<const Node*>& members
) {
    const Node* first = nullptr;
    std::int64_t left = 0;
    if (supply.peers != nullptr)
        for (const Node* peer : *supply.peers) {
            if (members.contains(peer)) continue;
            if (left++ == 0) first = peer;
        }
    if (left == 0) return true;
    candidate.node_id = first->id;
    candidate.node = first->name;
    candidate.alike = left > 1 ? std::optional(left - 1) : std::nullopt;
    return false;
}

// Members first, by rank; the others keep their order.
void put_first(Plan& plan, const std::vector<Judged>& judged, const std::vector<Chair>& members) {
    std::map<std::size_t, std::size_t> listed;  // by candidate: where the plan has it
    std::map<std::size_t, std::set<const Node*>> taken;
    std::vector<Candidate> ordered;
    for (Candidate& candidate : plan.candidates) candidate.chosen = false;
    for (const Chair& member : members) {
        const Candidate& wanted = judged[member.candidate].candidate;
        const auto [at, is_new] = listed.try_emplace(member.candidate);
        if (is_new) {
            const auto found = std::ranges::find_if(plan.candidates, [&](const Candidate& each) {
                return each.node_id == wanted.node_id && each.request == wanted.request &&
                       each.start_at == wanted.start_at;
            });
            at->second = static_cast<std::size_t>(found - plan.candidates.begin());
        }
        ordered.push_back(member_of(plan.candidates[at->second], *member.node));
        taken[member.candidate].insert(member.node);
    }
    std::set<std::size_t> gone;
    for (const auto& [candidate, at] : listed)
        if (stands_for_nobody(plan.candidates[at], *judged[candidate].supply, taken[candidate]))
            gone.insert(at);
    for (std::size_t i = 0; i < plan.candidates.size(); ++i)
        if (!gone.contains(i)) ordered.push_back(std::move(plan.candidates[i]));
    plan.candidates = std::move(ordered);
}

// Costs and carbon add up; the slowest, farthest and least secure member speaks for the rest.
Values together(const Plan& plan) {
    Values all = {0.0, 0.0, 0.0, 0.0, 0.0};
    for (const Candidate& candidate : plan.candidates) {
        if (!candidate.chosen) continue;
        const Values one = values_of(candidate.terms);
        for (std::size_t t = 0; t < kTermCount; ++t) {
            const auto term = static_cast<Term>(t);
            if (!one[t] || !all[t])
                all[t].reset();
            else if (term == Term::cost || term == Term::green)
                *all[t] += *one[t];
            else
                all[t] = std::max(*all[t], *one[t]);
        }
    }
    return all;
}

Text cell_text(const GangChoice& choice) {
    switch (choice.level) {
        case GangLevel::domain:
            return {"domain " + choice.cell, "互联域 " + choice.cell + " "};
        case GangLevel::rack:
            return {"rack " + choice.cell, "机架 " + choice.cell + " "};
        case GangLevel::site:
            return {"site " + choice.cell, "站点 " + choice.cell + " "};
        case GangLevel::metro:
            return {
                format("{} sites of {}", choice.sites, choice.cell),
                format("{} 的 {} 个站点", choice.cell, choice.sites)
            };
        case GangLevel::any:
            return {format("{} sites", choice.sites), format("{} 个站点", choice.sites)};
    }
    return {};
}

std::string names_text(const std::vector<std::string>& names) {
    constexpr std::size_t kNamedMax = 8;
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kNamedMax); ++i)
        text += (i == 0 ? "" : ", ") + names[i];
    return names.size() > kNamedMax ? text + ", …" : text;
}

Text wants_text(const ResourceRequest& request) {
    if (request.accelerator) {
        const std::string text =
            thousandths(request.accelerator->count_milli) + " " + request.accelerator->model;
        return {text, text};
    }
    const std::string cpus = thousandths(request.cpu_milli);
    const std::string memory = memory_text(request.memory_mib);
    return {cpus + " cpus, " + memory, cpus + " 核，" + memory};
}

Text explain_gang(const Plan& plan, const GangChoice& choice) {
    std::vector<std::string> names;
    for (const Candidate& candidate : plan.candidates)
        if (candidate.chosen) names.push_back(candidate.site + "/" + candidate.node);
    const Text cell = cell_text(choice);
    const std::string named = names_text(names);
    Text text{
        format("{} nodes in {} take it together: {}. Together: ", names.size(), cell.en, named),
        format("{}的 {} 个节点共同承担：{}。合计：", cell.zh, names.size(), named)
    };
    const Values values = together(plan);
    for (std::size_t t = 0; t < kTermCount; ++t) {
        const auto term = static_cast<Term>(t);
        text.en +=
            format("{}{} {}", t == 0 ? "" : ", ", name_of(term), value_text(term, values[t]));
        text.zh +=
            format("{}{} {}", t == 0 ? "" : "，", name_zh_of(term), value_text_zh(term, values[t]));
    }
    text.en += format(". {} nodes have room, {} are needed", plan.gang->room, names.size());
    text.zh += format("。有空位的节点 {} 个，需要 {} 个", plan.gang->room, names.size());
    return text;
}

// There are enough nodes, but not near enough to each other.
Text explain_cells(const GangRules& rules, const GangShortfall& shortfall) {
    if (rules.spread)
        return {
            format(
                ", but with placement.topology.spread: {0} only {1} of them count. Leave spread "
                "out, or ask for at most {1} nodes",
                name_of(*rules.spread), shortfall.nearest
            ),
            format(
                "，但按 placement.topology.spread: {0} 只计 {1} 个。请去掉 spread，或至多申请 {1} "
                "个节点",
                name_of(*rules.spread), shortfall.nearest
            )
        };
    if (rules.widest >= GangLevel::metro && rules.max_sites)
        return {
            format(
                ", but not on {} sites. Raise placement.topology.max_sites, or ask for fewer nodes",
                *rules.max_sites
            ),
            format(
                "，但不在 {} 个站点之内。请增大 placement.topology.max_sites，或减少节点数",
                *rules.max_sites
            )
        };
    const GangLevel wider = rules.widest < GangLevel::site ? GangLevel::site : GangLevel::any;
    return {
        format(
            ", but at most {} of them in one {}{}. Allow a wider cell (placement.topology: {{pack: "
            "{}}}), or ask for fewer nodes",
            shortfall.nearest, name_of(rules.widest),
            shortfall.cell.empty() ? "" : " (" + shortfall.cell + ")", name_of(wider)
        ),
        format(
            "，但同一 {}{} 内至多 {} 个。请放宽范围（placement.topology: {{pack: "
            "{}}}），或减少节点数",
            name_of(rules.widest), shortfall.cell.empty() ? "" : "（" + shortfall.cell + "）",
            shortfall.nearest, name_of(wider)
        )
    };
}

using Names = std::set<std::pair<std::string_view, std::string_view>>;  // site and node

// Candidates of nodes that are none of these, each standing for such alone.
struct Others {
    std::deque<Supply> supplies;
    std::vector<Judged> judged;

    Others(const std::vector<Judged>& all, const Names& names) {
        for (const Judged& each : all) {
            const auto is_named = [&](const Node* node) {
                return names.contains({each.candidate.site, node->name});
            };
            const Supply& supply = *each.supply;
            if (supply.peers == nullptr) {
                if (!is_named(supply.node)) judged.push_back(each);
                continue;
            }
            const auto left =
                std::ssize(*supply.peers) - std::ranges::count_if(*supply.peers, is_named);
            if (left == 0) continue;
            supplies.push_back(supply);
            supplies.back().alike = left - 1;
            if (is_named(supply.node))
                supplies.back().node = *std::ranges::find_if_not(*supply.peers, is_named);
            judged.push_back(each);
            judged.back().supply = &supplies.back();
            judged.back().candidate.node = supplies.back().node->name;
        }
    }
};

Text explain_shortage(
    const Plan& plan, const std::vector<Judged>& judged, const std::vector<Seat>& seats,
    const GangRules& rules, const GangShortfall& shortfall, const Filters& filters
) {
    if (seats.empty()) return explain_refusal(judged, filters);
    Names known;
    std::vector<std::string> names;
    for (const Seat& seat : seats)
        if (known.emplace(seat.site, seat.node).second)
            names.push_back(seat.site + "/" + seat.node);
    const Text wants = wants_text(plan.request);
    const std::string named = names_text(names);
    Text text{
        format(
            "needs {} nodes with {}, {} have room ({})", rules.members, wants.en, names.size(),
            named
        ),
        format(
            "需要 {} 个节点（每个 {}），有空位的 {} 个（{}）", rules.members, wants.zh,
            names.size(), named
        )
    };
    if (shortfall.room >= rules.members) {
        const Text cells = explain_cells(rules, shortfall);
        return {text.en + cells.en, text.zh + cells.zh};
    }
    const Others others(judged, known);
    if (others.judged.empty())
        return {
            text.en + "; no other node has joined. Ask for fewer nodes, or start more agents",
            text.zh + "；没有其他节点。请减少节点数，或启动更多代理"
        };
    const Text counted = count_refusals(others.judged, filters);
    return {
        text.en + ". Of the others: " + counted.en + ". Wait, or ask for fewer nodes",
        text.zh + "。其余节点：" + counted.zh + "。请等待，或减少节点数"
    };
}

}  // namespace

Text plan_gang(
    Plan& plan, const std::vector<Judged>& judged, const Objective& objective,
    const Filters& filters, const Input& input
) {
    const GangRules rules = gang_rules(input.spec);
    Room room = room_now(judged, objective);
    GangShortfall shortfall;
    std::optional<GangChoice> choice = choose_gang(room.seats(), rules, &shortfall);
    if (!choice) {
        // Nodes that failed before are taken again where nothing else makes a whole.
        room.add_where(failed_here_only);
        shortfall = {};
        choice = choose_gang(room.seats(), rules, &shortfall);
    }
    plan.gang = GangPlan{.members = rules.members, .room = shortfall.room};
    plan.feasible = choice.has_value();
    if (!choice) {
        for (Candidate& candidate : plan.candidates) candidate.chosen = false;
        plan.gang->level = name_of(rules.widest);
        plan.gang->cell = shortfall.cell;
        plan.gang->ever = judged.empty() || could_ever(room, rules);
        return explain_shortage(plan, judged, room.seats(), rules, shortfall, filters);
    }
    plan.gang->level = name_of(choice->level);
    plan.gang->cell = choice->cell;
    plan.gang->sites = choice->sites;
    std::vector<Chair> members;
    for (const std::size_t seat : choice->members) members.push_back(room.chair(seat));
    put_first(plan, judged, members);
    return explain_gang(plan, *choice);
}

}  // namespace penstock::scheduler
