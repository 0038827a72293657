// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <tuple>

#include "scheduler/callers.h"
#include "scheduler/explain.h"
#include "scheduler/filter.h"
#include "scheduler/objective.h"
#include "scheduler/start_time.h"
#include "scheduler/terms.h"

namespace penstock::scheduler {
namespace {

// What may be asked of one node: one request per accelerator it could ever give, or the first
// choice, so that the table says what it lacks.
struct Ask {
    ResourceRequest request;
    std::size_t preference = 0;
};
// Of ordered alternatives an earlier one always comes first, whatever the list of accelerators.
std::size_t place_preference(
    const TaskSpec& spec, const Supply& supply, const ResourceRequest& request
) {
    if (spec.resources.ordered.empty()) return 0;
    const std::size_t lists =
        spec.resources.accelerators ? spec.resources.accelerators->choices.size() : 1;
    return alternative_met(spec.resources, *supply.site, request.accelerator).value_or(0) * lists;
}

std::vector<Ask> asks_of(const TaskSpec& spec, const Supply& supply) {
    const ResourceRequest request = request_of(spec);
    if (!spec.resources.accelerators) return {{request, place_preference(spec, supply, request)}};
    const Accelerators& accelerators = *spec.resources.accelerators;
    std::vector<Ask> asks;
    for (std::size_t i = 0; i < accelerators.choices.size(); ++i) {
        const bool possible = devices_milli(supply.node->total, accelerators.choices[i]) >=
                              accelerators.choices[i].count_milli;
        if (supply.asked ? accelerators.choices[i] != *supply.asked : !possible) continue;
        asks.push_back({request, accelerators.ordered ? i : 0});
        asks.back().request.accelerator = accelerators.choices[i];
        asks.back().preference += place_preference(spec, supply, asks.back().request);
    }
    if (asks.empty()) asks.push_back({request, 0});
    return asks;
}

Judged judge(const Input& input, const Filters& filters, const Supply& supply, Ask ask) {
    Judged judged{.preference = ask.preference, .supply = &supply};
    judged.candidate = {
        .site_id = supply.site->id,
        .site = supply.site->spec.name,
        .provider = supply.site->provider,
        .region = supply.site->spec.region,
        .node_id = supply.node->id,
        .node = supply.node->name,
        .request = std::move(ask.request),
        .simulated = supply.node->simulated
    };
    if (supply.alike > 0) judged.candidate.alike = supply.alike;
    if (supply.outlook && supply.outlook->stated)
        judged.candidate.outlook = age_of(*supply.outlook->stated, input.now);
    Candidate& candidate = judged.candidate;
    Asked asked{.supply = supply, .request = candidate.request, .hourly = {}, .start = input.now};
    asked.start = first_start(input, asked);
    if (asked.start > input.now) candidate.start_at = asked.start;
    const Result<Price> hourly = hourly_price(supply, candidate.request, input.spec, asked.start);
    if (hourly) asked.hourly = candidate.price_per_hour = *hourly;
    candidate.price_percent = price_percent(supply, input.spec, asked.start);
    candidate.terms = terms_of(input, asked);
    candidate.restarts =
        restart_rate(supply.restarts, candidate.request, work_class_of(input.spec));
    const Question question{
        .supply = supply,
        .request = candidate.request,
        .hourly = asked.hourly,
        .terms = candidate.terms
    };
    judged.failing = filters.failing(question);
    candidate.filter = judged.failing.first();
    if (candidate.filter != FilterReason::none)
        candidate.filter_detail = filters.detail(candidate.filter, question).en;
    return judged;
}

// What such a reason leaves out is taken again only where nothing else is left.
void allow_again(std::vector<Judged>& judged, FilterReason reason, const std::string& detail) {
    const bool feasible =
        std::ranges::any_of(judged, [](const Judged& each) { return each.failing.empty(); });
    if (feasible) return;
    for (Judged& each : judged) {
        if (!each.failing.contains(reason)) continue;
        each.failing.remove(reason);
        if (!each.failing.empty()) continue;
        each.candidate.filter = FilterReason::none;
        each.candidate.filter_detail = detail;
    }
}

// The order in which equal candidates stand, whatever order the supplies come in.
bool stands_before(const Judged& left, const Judged& right) {
    static const Accelerator kNone;
    const auto key = [](const Judged& judged) {
        const Candidate& each = judged.candidate;
        const Accelerator& asked = each.request.accelerator ? *each.request.accelerator : kNone;
        return std::tie(
            each.site, judged.supply->order, each.node, each.node_id, asked.model,
            asked.count_milli, each.start_at
        );
    };
    return key(left) < key(right);
}

std::vector<Judged> judge_all(const Input& input, const Filters& filters) {
    std::vector<Judged> all;
    for (const Supply& supply : input.supplies)
        for (Ask& ask : asks_of(input.spec, supply)) {
            all.push_back(judge(input, filters, supply, std::move(ask)));
            for (Judged& later : later_starts(input, filters, all.back()))
                all.push_back(std::move(later));
        }
    std::ranges::sort(all, stands_before);
    allow_again(all, FilterReason::left_to_others, "");
    allow_again(
        all, FilterReason::excluded_after_failure, "failed here before; nothing else is left"
    );
    std::vector<Terms*> compared;
    for (Judged& each : all)
        if (each.failing.empty()) compared.push_back(&each.candidate.terms);
    compare_alike(compared);
    return all;
}

Terms best_terms(const std::vector<Candidate>& candidates) {
    Terms best;
    const auto least = [](auto& kept, const auto& value) {
        if (value && (!kept || *value < *kept)) kept = value;
    };
    for (const Candidate& candidate : candidates) {
        if (candidate.filter != FilterReason::none) continue;
        least(best.cost, candidate.terms.cost);
        least(best.duration_s, candidate.terms.duration_s);
        least(best.security, candidate.terms.security);
        least(best.latency_ms, candidate.terms.latency_ms);
        least(best.carbon_g, candidate.terms.carbon_g);
    }
    return best;
}

void take_order(std::vector<Candidate>& candidates, const Objective& objective) {
    const Terms best = best_terms(candidates);
    std::vector<Candidate> ordered;
    ordered.reserve(candidates.size());
    for (const Scored& scored : objective.order) {
        Candidate& candidate = candidates[scored.candidate];
        candidate.score = shown_score(scored);
        candidate.regret_inputs_best = best;
        candidate.chosen = ordered.empty();
        ordered.push_back(std::move(candidate));
        ordered.back().rank = static_cast<std::int64_t>(ordered.size());
    }
    for (Candidate& candidate : candidates)
        if (candidate.filter != FilterReason::none) ordered.push_back(std::move(candidate));
    candidates = std::move(ordered);
}

// Keeps the best and, of each filter reason, the first: who reads the plan still sees why each kind
// of node is out.
std::size_t trim(std::vector<Candidate>& candidates) {
    if (candidates.size() <= kCandidatesMax) return 0;
    std::set<FilterReason> seen;
    std::vector<bool> keep(candidates.size());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        keep[i] = seen.insert(candidates[i].filter).second;
        kept += keep[i] ? 1 : 0;
    }
    for (std::size_t i = 0; i < candidates.size() && kept < kCandidatesMax; ++i) {
        kept += keep[i] ? 0 : 1;
        keep[i] = true;
    }
    const std::size_t removed = candidates.size() - kept;
    std::size_t i = 0;
    std::erase_if(candidates, [&](const Candidate&) { return !keep[i++]; });
    return removed;
}

// Of all that were chosen: the members of a gang, or one.
void set_money(Plan& plan, const Input& input) {
    Money all_holds;
    std::optional<Money> cost = Money();
    for (const Candidate& winner : plan.candidates) {
        if (!winner.chosen) continue;
        const Result<Money> hold =
            price_of_span(winner.price_per_hour, held_run_time(input.profile, winner.request));
        const Result<Money> more =
            hold ? add(all_holds, input.budget_left ? std::min(*hold, *input.budget_left) : *hold)
                 : hold;
        if (more) plan.hold = all_holds = *more;
        const std::optional<Money> charged =
            winner.terms.per_hour ? std::nullopt : charged_of(winner.terms);
        const Result<Money> sum =
            cost && charged ? add(*cost, *charged) : fail(ErrorCode::internal, "unknown");
        cost = sum ? std::optional(*sum) : std::nullopt;
    }
    if (!cost) return;
    std::int64_t total = 0;
    if (!__builtin_mul_overflow(cost->micro(), input.items, &total))
        plan.estimated_cost = Money::micro(total);
}

std::string basis_of(const Input& input, const ResourceRequest& request) {
    if (!run_time_known(input.profile, request))
        return "run time not known: an hour is held, cost and carbon are of an hour";
    if (request.accelerator) {
        const auto& on = input.profile.run_time_basis_on;
        if (const auto found = on.find(request.accelerator->model); found != on.end())
            return found->second;
    }
    return input.profile.run_time_basis.empty() ? "run time as given"
                                                : input.profile.run_time_basis;
}

}  // namespace

bool may_become_feasible(const Plan& plan) {
    // Without any node nothing is known yet: sites may be on their way.
    if (plan.candidates.empty()) return true;
    if (plan.gang) return plan.gang->ever;
    return std::ranges::any_of(plan.candidates, [](const Candidate& candidate) {
        return is_temporary(candidate.filter);
    });
}

ResourceRequest request_of(const TaskSpec& spec) {
    ResourceRequest request{
        .cpu_milli = spec.resources.cpus ? spec.resources.cpus->min : kDefaultCpuMilli,
        .memory_mib = spec.resources.memory ? spec.resources.memory->min : kDefaultMemoryMib
    };
    if (spec.resources.accelerators && !spec.resources.accelerators->choices.empty())
        request.accelerator = spec.resources.accelerators->choices.front();
    // Of a gang the domain is one of nodes.
    request.linked = spec.num_nodes == 1 && spec.placement && spec.placement->topology &&
                     spec.placement->topology->pack == "domain";
    return request;
}

namespace {

// Why a start later than now was not looked for, where one could have been expected.
void note_unbounded(Text& text, const Plan& plan, const Input& input) {
    const bool could = plan.feasible && !plan.later && input.spec.deadline && !input.at_once &&
                       input.spec.num_nodes <= 1;
    if (!could || run_time_at_most_of(input.profile, plan.candidates.front().request)) return;
    if (std::ranges::none_of(input.supplies, [](const Supply& each) { return each.outlook; }))
        return;
    text.en +=
        ". No later start was looked for: how long it runs at most is not known; state time_limit";
    text.zh += "。未考虑延后开始：最长运行时间未知；请给出 time_limit";
}

Plan plan_within(const Input& input) {
    Plan plan;
    plan.spec_sha256 = input.spec_sha256;
    plan.strategy = input.spec.placement ? input.spec.placement->optimize : balanced_strategy();
    plan.request = request_of(input.spec);
    plan.items = input.items;
    const Filters filters(input);
    std::vector<Judged> judged = judge_all(input, filters);
    std::vector<std::size_t> preferences;
    for (const Judged& each : judged) {
        plan.candidates.push_back(each.candidate);
        preferences.push_back(each.preference);
    }
    const Objective objective = rank(plan.candidates, preferences, plan.strategy);
    plan.feasible = !objective.order.empty();
    Text text =
        plan.feasible ? explain_choice(judged, objective, input) : explain_refusal(judged, filters);
    if (plan.feasible) plan.later = later_start(plan.candidates, objective);
    take_order(plan.candidates, objective);
    if (input.spec.num_nodes > 1) text = plan_gang(plan, judged, objective, filters, input);
    plan.estimate_basis =
        basis_of(input, plan.feasible ? plan.candidates.front().request : plan.request);
    if (plan.feasible) set_money(plan, input);
    if (const std::size_t removed = trim(plan.candidates); removed > 0) {
        text.en += ". " + std::to_string(removed) + " more candidates are not listed";
        text.zh += "。另有 " + std::to_string(removed) + " 个候选未列出";
    }
    if (std::vector<CallerShare> callers = callers_of(input); !callers.empty()) {
        text.en += text_of(callers).en;
        text.zh += text_of(callers).zh;
        plan.callers = std::move(callers);
    }
    note_unbounded(text, plan, input);
    if (plan.later) {
        text.en += ". Starting later pays: " + plan.later->text;
        text.zh += "。延后开始更优：" + plan.later->text_zh;
    }
    plan.explanation = std::move(text.en);
    plan.explanation_zh = std::move(text.zh);
    return plan;
}

}  // namespace

Plan plan(const Input& input) {
    if (input.spec.num_nodes <= 1 || !input.budget_left) return plan_within(input);
    // Each member of a gang may cost its share.
    Input each = input;
    each.budget_left = Money::micro(input.budget_left->micro() / input.spec.num_nodes);
    return plan_within(each);
}

}  // namespace penstock::scheduler
