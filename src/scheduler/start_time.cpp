// SPDX-License-Identifier: Apache-2.0
#include "scheduler/start_time.h"

#include <algorithm>

namespace penstock::scheduler {
namespace {

// The terms that a later start can better; unknown is worse than anything.
struct Gain {
    std::optional<Money> cost;
    std::optional<double> carbon_g;

    static Gain of(const Terms& terms) { return {terms.cost, terms.carbon_g}; }
    bool no_worse_than(const Gain& other) const {
        return (!other.cost || (cost && *cost <= *other.cost)) &&
               (!other.carbon_g || (carbon_g && *carbon_g <= *other.carbon_g));
    }
};

// A later start of a node whose only fault, if any, is what it costs now may be the one that wins.
bool may_wait(const Input& input, const Judged& first) {
    if (!input.spec.deadline || !first.supply->outlook || input.at_once) return false;
    if (input.spec.num_nodes > 1) return false;  // its members start together, and at once
    if (!run_time_known(input.profile, first.candidate.request)) return false;
    ReasonSet others = first.failing;
    others.remove(FilterReason::over_budget);
    return others.empty();
}

// The last start from which all items end in time for all that is known, were they to run one
// after another; absent: unknown, or over.
std::optional<Time> latest_start(const Input& input, const Asked& asked) {
    const std::optional<Duration> at_most = run_time_at_most_of(input.profile, asked.request);
    if (!at_most) return std::nullopt;
    const Duration span = occupied_span(input, asked);
    const Duration late =
        std::max(Duration{0}, *at_most - held_run_time(input.profile, asked.request));
    const std::int64_t items = std::max<std::int64_t>(1, input.items);
    const Time end = *input.spec.deadline - input.deadline_margin;
    if (span + late > (end - input.now) / items) return std::nullopt;
    return end - (span + late) * items;
}

}  // namespace

Time first_start(const Input& input, const Asked& asked) {
    if (!asked.supply.calendar) return input.now;
    const Duration span = occupied_span(input, asked);
    return asked.supply.calendar->earliest(asked.request, input.now, span).value_or(input.now);
}

std::vector<Judged> later_starts(const Input& input, const Filters& filters, const Judged& first) {
    if (!may_wait(input, first)) return {};
    const Supply& supply = *first.supply;
    const ResourceRequest& request = first.candidate.request;
    Asked asked{
        .supply = supply,
        .request = request,
        .hourly = {},
        .start = first.candidate.start_at.value_or(input.now)
    };
    const Duration span = occupied_span(input, asked);
    const std::optional<Time> latest = latest_start(input, asked);
    if (!latest) return {};
    std::vector<Gain> kept = {Gain::of(first.candidate.terms)};
    if (!first.failing.empty()) kept.clear();
    std::vector<Judged> later;
    asked.start = std::chrono::floor<std::chrono::hours>(asked.start) + 1h;
    for (std::size_t i = 0; i < kStartsMax && asked.start <= *latest; ++i, asked.start += 1h) {
        const Result<Price> hourly = hourly_price(supply, request, input.spec, asked.start);
        asked.hourly = hourly ? std::optional(*hourly) : std::nullopt;
        const Terms terms = terms_of(input, asked);
        const Gain gain = Gain::of(terms);
        if (std::ranges::any_of(kept, [&](const Gain& each) { return each.no_worse_than(gain); }))
            continue;
        const Question question{
            .supply = supply, .request = request, .hourly = asked.hourly, .terms = terms
        };
        if (!filters.failing(question).empty()) continue;
        if (supply.calendar && !supply.calendar->fits(request, asked.start, span)) continue;
        kept.push_back(gain);
        later.push_back(first);
        later.back().candidate.start_at = asked.start;
        later.back().candidate.terms = terms;
        if (hourly) later.back().candidate.price_per_hour = *hourly;
        later.back().candidate.price_percent = price_percent(supply, input.spec, asked.start);
        later.back().candidate.filter = FilterReason::none;
        later.back().candidate.filter_detail.clear();
        later.back().failing = {};
    }
    return later;
}

}  // namespace penstock::scheduler
