// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "scheduler/filter.h"

namespace penstock::scheduler {
namespace {

constexpr double kRegretMax = 4;
constexpr double kPureRegretMax = 0.05;  // a pure strategy gives this much of its own term for the rest
constexpr double kSecondsPerHour = 3600;
constexpr int kOptionalControls = 4;
constexpr std::size_t kTermCount = 5;
constexpr std::array<double, kTermCount> kFloors = {0.01, 1, 0.05, 1, 1};  // yuan, s, share, ms, g
constexpr std::array<std::string_view, kTermCount> kNames = {"cost", "duration", "security", "latency", "green"};
constexpr std::array<std::string_view, kTermCount> kNamesZh = {"成本", "时长", "安全", "时延", "绿色"};

using Values = std::array<std::optional<double>, kTermCount>;

// For comparing only: what is charged never passes through here.
double yuan(Money money) { return static_cast<double>(money.micro()) * 1e-6; }

Values values_of(const Terms& terms) {
    return {terms.cost ? std::optional(yuan(*terms.cost)) : std::nullopt, terms.duration_s, terms.security, terms.latency_ms, terms.carbon_g};
}
std::array<double, kTermCount> weights_of(const Strategy& s) { return {s.cost, s.duration, s.security, s.latency, s.green}; }

Result<Money> price_of_span(const Price& hourly, Duration span) {
    constexpr std::int64_t kPerHour = 3600;
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(span).count();
    const ExactMoney amount = TRY(multiply(seconds, QuantityScale::one, hourly));
    return ceil_money(ExactMoney((amount.femto() + kPerHour - 1) / kPerHour));
}

Duration run_time_of(const Input& input) { return input.profile.run_time.value_or(kDefaultRunTime); }

Terms terms_of(const Input& input, const Supply& supply, const ResourceRequest& request, const Price& hourly) {
    const SiteSpec& site = supply.site->spec;
    const double hours = to_seconds(run_time_of(input)) / kSecondsPerHour;
    Terms terms;
    if (const Result<Money> cost = price_of_span(hourly, run_time_of(input))) terms.cost = *cost;
    const double megabits = static_cast<double>(input.profile.staging_bytes) * 8e-6;
    if (input.profile.staging_bytes == 0) terms.duration_s = to_seconds(run_time_of(input)) + site.rtt_ms.value_or(0) / 1000;
    else if (site.bandwidth_mbps)
        terms.duration_s = megabits / *site.bandwidth_mbps + site.rtt_ms.value_or(0) / 1000 + to_seconds(run_time_of(input));
    terms.security = 1 - static_cast<double>(site.controls.size()) / kOptionalControls;
    terms.latency_ms = site.rtt_ms;
    if (site.watts_per_core && site.carbon_g_per_kwh) {
        const double kilowatts = static_cast<double>(request.cpu_milli) / 1000 * *site.watts_per_core / 1000;
        terms.carbon_g = kilowatts * site.pue * *site.carbon_g_per_kwh * hours;
    }
    return terms;
}

// (x − best) / max(|best|, floor), cut at kRegretMax; an unknown term costs the most.
double regret(const std::optional<double>& value, const std::optional<double>& best, double floor) {
    if (!value || !best) return best ? kRegretMax : 0;
    return std::min(kRegretMax, (*value - *best) / std::max(std::abs(*best), floor));
}

struct Scored {
    std::size_t candidate = 0;
    std::array<double, kTermCount> regrets{};
    double score = 0;
    bool outside = false;  // beyond what a pure strategy gives away
};

std::vector<Scored> score(const std::vector<Candidate>& candidates, const Strategy& strategy) {
    std::vector<Scored> all;
    Values best;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (candidates[i].filter != FilterReason::none) continue;
        all.push_back({.candidate = i});
        const Values values = values_of(candidates[i].terms);
        for (std::size_t t = 0; t < kTermCount; ++t)
            if (values[t] && (!best[t] || *values[t] < *best[t])) best[t] = values[t];
    }
    std::array<double, kTermCount> weights = weights_of(strategy);
    const auto pure = std::ranges::find(weights, 1.0);
    const bool is_pure = pure != weights.end();
    const auto own = static_cast<std::size_t>(pure - weights.begin());
    if (is_pure)
        for (std::size_t t = 0; t < kTermCount; ++t) weights[t] = t == own ? 0 : 1.0 / (kTermCount - 1);
    for (Scored& each : all) {
        const Values values = values_of(candidates[each.candidate].terms);
        for (std::size_t t = 0; t < kTermCount; ++t) {
            each.regrets[t] = regret(values[t], best[t], kFloors[t]);
            each.score += weights[t] * each.regrets[t];
        }
        each.outside = is_pure && each.regrets[own] > kPureRegretMax;
        if (each.outside) each.score = kRegretMax + each.regrets[own];
    }
    return all;
}

ResourceRequest request_at(const TaskSpec& spec, const Supply& supply) {
    ResourceRequest request = request_of(spec);
    if (!spec.resources.accelerators) return request;
    const std::vector<Accelerator>& choices = spec.resources.accelerators->choices;
    request.accelerator = choices.front();
    for (const Accelerator& choice : choices) {
        const auto found = supply.node->total.accelerator_milli.find(choice.model);
        if (found == supply.node->total.accelerator_milli.end() || found->second < choice.count_milli) continue;
        request.accelerator = choice;
        break;
    }
    return request;
}

std::vector<Candidate> candidates_of(const Input& input) {
    std::vector<Candidate> all;
    for (const Supply& supply : input.supplies) {
        Candidate candidate{
            .site_id = supply.site->id, .site = supply.site->spec.name, .provider = supply.site->provider,
            .region = supply.site->spec.region, .node_id = supply.node->id, .node = supply.node->name,
            .request = request_at(input.spec, supply), .simulated = supply.node->simulated
        };
        const Result<Price> hourly = hourly_price(*supply.site, candidate.request);
        const Verdict verdict = filter(input, supply, candidate.request, hourly ? std::optional(*hourly) : std::nullopt);
        candidate.filter = verdict.reason;
        candidate.filter_detail = verdict.detail;
        if (hourly) {
            candidate.price_per_hour = *hourly;
            candidate.terms = terms_of(input, supply, candidate.request, *hourly);
        }
        if (candidate.filter == FilterReason::none && input.budget_left && candidate.terms.cost &&
            input.profile.run_time && *candidate.terms.cost > *input.budget_left) {
            candidate.filter = FilterReason::over_budget;
            candidate.filter_detail = fmt::format("would cost {}, the budget is {}", to_string(*candidate.terms.cost), to_string(*input.budget_left));
        }
        all.push_back(std::move(candidate));
    }
    std::ranges::sort(all, [](const Candidate& a, const Candidate& b) { return std::tie(a.site, a.node) < std::tie(b.site, b.node); });
    const bool feasible = std::ranges::any_of(all, [](const Candidate& c) { return c.filter == FilterReason::none; });
    if (feasible) return all;
    for (Candidate& candidate : all)
        if (candidate.filter == FilterReason::excluded_after_failure) {
            candidate.filter = FilterReason::none;
            candidate.filter_detail = "failed here before; nothing else is left";
        }
    return all;
}

// What would make the runner-up win: the term in which it is better.
void explain(Plan& plan, const std::vector<Scored>& order) {
    const Candidate& winner = plan.candidates[order[0].candidate];
    plan.explanation = fmt::format("{}/{} wins", winner.site, winner.node);
    plan.explanation_zh = fmt::format("选中 {}/{}", winner.site, winner.node);
    if (order.size() == 1) {
        plan.explanation += ": it is the only one that can take it";
        plan.explanation_zh += "：唯一可行的候选";
        return;
    }
    const Candidate& second = plan.candidates[order[1].candidate];
    plan.explanation += fmt::format(" with a regret of {:.3f}; next is {}/{} with {:.3f}", order[0].score, second.site, second.node, order[1].score);
    plan.explanation_zh += fmt::format("，综合代价 {:.3f}；其次 {}/{}，{:.3f}", order[0].score, second.site, second.node, order[1].score);
    std::size_t better = kTermCount;
    for (std::size_t t = 0; t < kTermCount; ++t)
        if (order[1].regrets[t] < order[0].regrets[t] && (better == kTermCount || order[0].regrets[t] - order[1].regrets[t] > order[0].regrets[better] - order[1].regrets[better]))
            better = t;
    if (better == kTermCount) return;
    plan.explanation += fmt::format("; more weight on {} would turn it", kNames[better]);
    plan.explanation_zh += fmt::format("；提高{}权重会改变结果", kNamesZh[better]);
}

void explain_refusal(Plan& plan) {
    if (plan.candidates.empty()) {
        plan.explanation = "no site has joined yet: start an agent (penstock agent, or penstock up)";
        plan.explanation_zh = "尚无站点加入：请启动代理（penstock agent 或 penstock up）";
        return;
    }
    plan.explanation = fmt::format("none of {} nodes can take it", plan.candidates.size());
    plan.explanation_zh = fmt::format("{} 个节点均不可用", plan.candidates.size());
    constexpr std::size_t kShownMax = 5;
    for (std::size_t i = 0; i < std::min(kShownMax, plan.candidates.size()); ++i) {
        const Candidate& candidate = plan.candidates[i];
        const std::string text = fmt::format("{} {}/{} {}", i == 0 ? ":" : ";", candidate.site, candidate.node, candidate.filter_detail);
        plan.explanation += text;
        plan.explanation_zh += text;
    }
}

}  // namespace

ResourceRequest request_of(const TaskSpec& spec) {
    ResourceRequest request{
        .cpu_milli = spec.resources.cpus ? spec.resources.cpus->min : kDefaultCpuMilli,
        .memory_mib = spec.resources.memory ? spec.resources.memory->min : kDefaultMemoryMib
    };
    if (spec.resources.accelerators) request.accelerator = spec.resources.accelerators->choices.front();
    return request;
}

Result<Price> hourly_price(const Site& site, const ResourceRequest& request) {
    // Sums of price × thousandths at one common scale: exact, since all are decimals.
    constexpr std::int64_t kPerHour = 3600;
    constexpr int kScale = 12;
    __int128 sum = 0;
    const auto add = [&](const Price& price, std::int64_t amount, std::int64_t per) -> Result<void> {
        if (price.scale > kScale) return fail(ErrorCode::invalid_argument, "the price " + to_string(price) + " has more than 12 decimals");
        __int128 part = static_cast<__int128>(price.num) * amount * kPerHour;
        for (int i = price.scale; i < kScale; ++i) part *= 10;
        sum += (part + per - 1) / per;
        return {};
    };
    TRY(add(site.spec.prices.core_second, request.cpu_milli, 1000));
    TRY(add(site.spec.prices.gib_second, request.memory_mib, 1024));
    if (request.accelerator) {
        const auto price = site.spec.prices.card_second.find(request.accelerator->model);
        if (price == site.spec.prices.card_second.end())
            return fail(ErrorCode::not_found, "site " + site.spec.name + " has no price for " + request.accelerator->model);
        TRY(add(price->second, request.accelerator->count_milli, 1000));
    }
    if (sum > INT64_MAX) return fail(ErrorCode::invalid_argument, "the price of an hour is too large");
    Price hourly{static_cast<std::int64_t>(sum), kScale};
    while (hourly.scale > 0 && hourly.num % 10 == 0) {
        hourly.num /= 10;
        --hourly.scale;
    }
    return hourly;
}

Plan plan(const Input& input) {
    Plan plan;
    plan.spec_sha256 = input.spec_sha256;
    plan.strategy = input.spec.placement ? input.spec.placement->optimize : balanced_strategy();
    plan.request = request_of(input.spec);
    plan.items = input.items;
    plan.estimate_basis = input.profile.run_time ? input.profile.run_time_basis : "run time not stated: one hour is assumed";
    plan.candidates = candidates_of(input);
    std::vector<Scored> order = score(plan.candidates, plan.strategy);
    // Candidates stand by name, so equal scores keep that order.
    std::ranges::sort(order, [](const Scored& a, const Scored& b) {
        return a.score != b.score ? a.score < b.score : a.candidate < b.candidate;
    });
    plan.feasible = !order.empty();
    if (!plan.feasible) {
        explain_refusal(plan);
        return plan;
    }
    explain(plan, order);
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
        Candidate& candidate = plan.candidates[order[rank].candidate];
        candidate.score = order[rank].score;
        candidate.rank = static_cast<std::int64_t>(rank) + 1;
        candidate.chosen = rank == 0;
    }
    std::ranges::sort(plan.candidates, [](const Candidate& a, const Candidate& b) {
        return std::tuple(a.rank.value_or(INT64_MAX), std::tie(a.site, a.node)) < std::tuple(b.rank.value_or(INT64_MAX), std::tie(b.site, b.node));
    });
    const Candidate& winner = plan.candidates.front();
    if (const Result<Money> hold = price_of_span(winner.price_per_hour, run_time_of(input))) {
        plan.hold = input.budget_left ? std::min(*hold, *input.budget_left) : *hold;
        plan.estimated_cost = Money::micro(hold->micro() * input.items);
    }
    return plan;
}

}  // namespace penstock::scheduler
