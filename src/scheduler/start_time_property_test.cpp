// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "scheduler/objective.h"
#include "scheduler/plan_fixture.h"
#include "scheduler/terms.h"

namespace penstock::scheduler {
namespace {

constexpr int kHours = 24;

int below(int bound) { return *rc::gen::resize(1'000, rc::gen::inRange(0, bound)); }

HourlySeries any_series(int most) {
    std::vector<double> values;
    for (int i = 0; i < kHours; ++i) values.push_back(below(most) - most / 8);
    return {kStart, values};
}

Strategy any_strategy() {
    switch (below(4)) {
        case 0:
            return {.cost = 1};
        case 1:
            return {.green = 1};
        case 2:
            return {.duration = 0.1, .green = 0.9};
        default:
            return balanced_strategy();
    }
}

// Three sites with hours of their own and half-full calendars; one task that may wait.
struct Case : Cluster {
    std::vector<Outlook> outlooks;
    std::vector<Calendar> calendars;
    Input input;

    Case()
        : input{.spec = spec, .spec_sha256 = "", .now = kStart + std::chrono::minutes(below(60))} {
        profile.run_time = profile.run_time_at_most = std::chrono::minutes(30 + below(240));
        spec.deadline = kStart + std::chrono::minutes(300 + below(900));
        spec.placement->optimize = any_strategy();
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            sites[i].spec.watts_per_core = 1000;
            outlooks.push_back(
                {.carbon_g_per_kwh = any_series(600), .power_price_per_kwh = any_series(3)}
            );
            calendars.emplace_back(nodes[i].total);
            for (int held = below(3); held > 0; --held) {
                const ResourceRequest whole{.cpu_milli = 1000};
                const Time from = kStart + std::chrono::hours(below(10));
                if (calendars[i].fits(whole, from, 2h)) calendars[i].reserve(whole, from, 2h);
            }
        }
        for (std::size_t i = 0; i < nodes.size(); ++i)
            input.supplies.push_back(
                {&sites[i], &nodes[i], free_of(nodes[i]), &outlooks[i], &calendars[i]}
            );
        input.profile = profile;
    }

    // Every start there is: the first one and all full hours, none left out.
    std::vector<Candidate> all_starts() const {
        std::vector<Candidate> all;
        for (const Supply& supply : input.supplies) {
            const ResourceRequest request = request_of(spec);
            Asked asked{supply, request, *hourly_price(*supply.site, request), input.now};
            const Duration span = occupied_span(input, asked);
            asked.start = *supply.calendar->earliest(request, input.now, span);
            while (asked.start + span <= *spec.deadline) {
                if (supply.calendar->fits(request, asked.start, span)) {
                    all.push_back({.site = supply.site->spec.name, .terms = terms_of(input, asked)}
                    );
                    if (asked.start > input.now) all.back().start_at = asked.start;
                }
                asked.start = std::chrono::floor<std::chrono::hours>(asked.start) + 1h;
            }
        }
        std::ranges::sort(all, [](const Candidate& a, const Candidate& b) {
            return std::tie(a.site, a.start_at) < std::tie(b.site, b.start_at);
        });
        return all;
    }
};

RC_GTEST_PROP(StartTimeProperty, TheWinnerIsTheOneOfAllStartsOfAllNodes, ()) {
    const Case c;
    const std::vector<Candidate> all = c.all_starts();
    const Objective objective =
        rank(all, std::vector<std::size_t>(all.size()), c.spec.placement->optimize);

    const Plan made = plan(c.input);

    RC_ASSERT(made.feasible == !all.empty());
    if (!made.feasible) return;
    const Candidate& best = all[objective.order.front().candidate];
    RC_ASSERT(made.candidates.front().terms == best.terms);
    RC_ASSERT(made.candidates.front().site == best.site);
    RC_ASSERT(made.candidates.front().start_at == best.start_at);
}

RC_GTEST_PROP(StartTimeProperty, WhatIsChosenFitsAndEndsBeforeTheDeadline, ()) {
    const Case c;
    const Plan made = plan(c.input);
    for (const Candidate& each : made.candidates) {
        if (each.filter != FilterReason::none) continue;
        const Time start = each.start_at.value_or(c.input.now);
        const auto i = static_cast<std::size_t>(
            std::ranges::find(c.nodes, each.node, &Node::name) - c.nodes.begin()
        );
        RC_ASSERT(start >= c.input.now);
        RC_ASSERT(start + *c.profile.run_time <= *c.spec.deadline);
        RC_ASSERT(c.calendars[i].fits(each.request, start, *c.profile.run_time));
    }
}

}  // namespace
}  // namespace penstock::scheduler
