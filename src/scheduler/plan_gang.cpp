// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

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

Seat seat_of(const Judged& judged, std::size_t index, std::int64_t score) {
    return {
        .candidate = index,
        .site = judged.candidate.site,
        .region = judged.candidate.region,
        .rack = label(*judged.supply->node, kRackLabel),
        .domain = label(*judged.supply->node, kDomainLabel),
        .node = judged.candidate.node,
        .accelerator = judged.candidate.request.accelerator
                           ? to_string(*judged.candidate.request.accelerator)
                           : "",
        .score = score
    };
}

// Those that can take a member now, best first.
std::vector<Seat> seats_now(const std::vector<Judged>& judged, const Objective& objective) {
    std::vector<Seat> seats;
    for (const Scored& scored : objective.order) {
        const Judged& each = judged[scored.candidate];
        const std::int64_t beyond = scored.outside ? kUnscored / 2 : 0;
        if (!each.candidate.start_at)
            seats.push_back(seat_of(each, scored.candidate, beyond + scored.score));
    }
    return seats;
}

template <class Accept>
void add_seats(std::vector<Seat>& seats, const std::vector<Judged>& judged, const Accept& accept) {
    for (std::size_t i = 0; i < judged.size(); ++i)
        if (judged[i].candidate.filter != FilterReason::none && accept(judged[i]))
            seats.push_back(seat_of(judged[i], i, kUnscored));
}

bool failed_here_only(const Judged& judged) {
    return judged.failing.count() == 1 &&
           judged.failing.contains(FilterReason::excluded_after_failure);
}

bool could_ever(
    const std::vector<Judged>& judged, std::vector<Seat> seats, const GangRules& rules
) {
    add_seats(seats, judged, [](const Judged& each) {
        return is_temporary(each.candidate.filter);
    });
    return choose_gang(seats, rules).has_value();
}

// Members first, by rank; the others keep their order.
void put_first(Plan& plan, const std::vector<Judged>& judged, const GangChoice& choice) {
    std::vector<Candidate> ordered;
    for (Candidate& candidate : plan.candidates) candidate.chosen = false;
    for (const std::size_t member : choice.members) {
        const Candidate& wanted = judged[member].candidate;
        const auto found = std::ranges::find_if(plan.candidates, [&](const Candidate& each) {
            return each.node_id == wanted.node_id && each.request == wanted.request &&
                   each.start_at == wanted.start_at;
        });
        found->chosen = true;
        if (found->filter != FilterReason::none) {
            found->filter = FilterReason::none;
            found->filter_detail = "failed here before; nothing else is left";
        }
        ordered.push_back(*found);
    }
    std::erase_if(plan.candidates, &Candidate::chosen);
    plan.candidates.insert(
        plan.candidates.begin(), std::make_move_iterator(ordered.begin()),
        std::make_move_iterator(ordered.end())
    );
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

Text explain_shortage(
    const Plan& plan, const std::vector<Judged>& judged, const std::vector<Seat>& seats,
    const GangRules& rules, const GangShortfall& shortfall, const Filters& filters
) {
    if (seats.empty()) return explain_refusal(judged, filters);
    std::vector<std::string> names;
    for (const Seat& seat : seats) {
        std::string name = seat.site + "/" + seat.node;
        if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
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
    std::vector<Judged> others;
    for (const Judged& each : judged)
        if (std::ranges::find(names, each.candidate.site + "/" + each.candidate.node) ==
            names.end())
            others.push_back(each);
    if (others.empty())
        return {
            text.en + "; no other node has joined. Ask for fewer nodes, or start more agents",
            text.zh + "；没有其他节点。请减少节点数，或启动更多代理"
        };
    const Text counted = count_refusals(others, filters);
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
    std::vector<Seat> seats = seats_now(judged, objective);
    GangShortfall shortfall;
    std::optional<GangChoice> choice = choose_gang(seats, rules, &shortfall);
    if (!choice) {
        // Nodes that failed before are taken again where nothing else makes a whole.
        add_seats(seats, judged, failed_here_only);
        shortfall = {};
        choice = choose_gang(seats, rules, &shortfall);
    }
    plan.gang = GangPlan{.members = rules.members, .room = shortfall.room};
    plan.feasible = choice.has_value();
    if (!choice) {
        for (Candidate& candidate : plan.candidates) candidate.chosen = false;
        plan.gang->level = name_of(rules.widest);
        plan.gang->cell = shortfall.cell;
        plan.gang->ever = judged.empty() || could_ever(judged, seats, rules);
        return explain_shortage(plan, judged, seats, rules, shortfall, filters);
    }
    plan.gang->level = name_of(choice->level);
    plan.gang->cell = choice->cell;
    plan.gang->sites = choice->sites;
    put_first(plan, judged, *choice);
    return explain_gang(plan, *choice);
}

}  // namespace penstock::scheduler
