// SPDX-License-Identifier: Apache-2.0
#include "gateway/lease_gauges.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace penstock::gateway {
namespace {

const Time kNow = Time(1'764'547'200s);

struct Leases {
    SeededRandom random{1};
    IdSource ids{random};
    routing::AllowancePool pool{Money::micro(100), ids};
    telemetry::Registry registry;
    LeaseGauges gauges{registry};

    routing::Demand granted(std::uint64_t key, Measure measure, Units units) {
        const routing::Demand demand{
            {.subject = {1, key}, .level = routing::Level::key, .measure = measure}, units, units
        };
        EXPECT_TRUE(pool.wait_for({&demand, 1}, kNow));
        for (const AllowanceAsk& ask : pool.asks(kNow, 10)) {
            Allowance answer{.lease_id = ask.lease_id, .granted = units};
            answer.expires_at = kNow + 1h;
            pool.grant(ask, answer, kNow);
        }
        pool.stop_waiting({&demand, 1});
        return demand;
    }
    std::string shown() {
        gauges.refresh(pool, {"gateway", RunId(RawId{1, 1})}, kNow);
        return registry.render();
    }
};

TEST(LeaseGauges, TellWhatIsFreeOfAllLeasesOfOneKindTogether) {
    Leases f;
    routing::Demand budget = f.granted(1, Measure::budget, Units::of(Money::micro(3'000'000)));
    f.granted(2, Measure::budget, Units::of(Money::micro(1'500'000)));
    const routing::Demand calls = f.granted(1, Measure::concurrency, Units::whole(2));
    budget.units = Units::of(Money::micro(1'000'000));
    const auto hold = f.pool.hold(std::vector<routing::Demand>{budget, calls}, kNow, kNow + 1min);
    ASSERT_TRUE(hold);

    const std::string text = f.shown();
    const std::string of_budget = "{level=\"key\",measure=\"budget\"} ";
    const std::string of_calls = "{level=\"key\",measure=\"concurrency\"} ";
    EXPECT_TRUE(text.contains("# TYPE penstock_gateway_lease_free gauge\n"));
    EXPECT_TRUE(text.contains("penstock_gateway_leases" + of_budget + "2\n")) << text;
    EXPECT_TRUE(text.contains("penstock_gateway_leases_empty" + of_budget + "0\n")) << text;
    EXPECT_TRUE(text.contains("penstock_gateway_lease_free" + of_budget + "3.5\n")) << text;
    EXPECT_TRUE(text.contains("penstock_gateway_lease_held" + of_budget + "1\n")) << text;
    EXPECT_TRUE(text.contains("penstock_gateway_leases_empty" + of_calls + "1\n")) << text;
    EXPECT_TRUE(text.contains("penstock_gateway_lease_free" + of_calls + "0\n")) << text;
    EXPECT_TRUE(text.contains("penstock_gateway_lease_held" + of_calls + "2\n")) << text;
}

TEST(LeaseGauges, WhatIsTooMuchToReadIsUnknown) {
    Leases f;
    f.granted(1, Measure::requests_day, Units::whole(5));
    f.shown();
    std::vector<routing::Demand> others;
    for (std::uint64_t key = 2; key < LeaseGauges::kAccountsMax + 2; ++key)
        others.push_back(
            {{.subject = {1, key}, .level = routing::Level::key, .measure = Measure::budget},
             Units::whole(1),
             Units::whole(1)}
        );
    ASSERT_TRUE(f.pool.wait_for(others, kNow));

    EXPECT_TRUE(f.shown().contains(
        "penstock_gateway_lease_free{level=\"key\",measure=\"requests_day\"} NaN\n"
    ));
    f.pool.stop_waiting(others);
}

}  // namespace
}  // namespace penstock::gateway
