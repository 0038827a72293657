// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>

#include "routing/allowance_authority.h"
#include "routing/allowance_pool.h"

// What stands at gateways that are used at a slow pace: it serves them when the server goes away,
// and goes to the others that need it while the server is there.
namespace penstock::routing {
namespace {

const Time kBegin = Time(1'764'547'200s);

struct Tenant {
    Measure measure = Measure::wallet;
    Units limit;
    Units each;  // what a call holds, and uses
};

Units yuan_milli(std::int64_t amount) { return Units::of(Money::micro(amount * 1000)); }

// A server and two gateways that ask as the shell does: every second, and for each call that waits.
struct Platform {
    Tenant tenant;
    SeededRandom random{1};
    IdSource ids{random};
    AllowanceAuthority authority;
    std::array<std::unique_ptr<AllowancePool>, 2> pools;
    Units settled;
    Time now = kBegin;
    bool away = false;
    std::size_t dead = SIZE_MAX;  // a gateway that hears nothing

    explicit Platform(Tenant of) : tenant(of) {
        for (auto& pool : pools)
            pool = std::make_unique<AllowancePool>(Money::micro(1'000'000), ids);
    }
    Demand demand() const {
        return {
            {.subject = {1, 1}, .level = Level::organisation, .measure = tenant.measure},
            tenant.each,
            tenant.limit
        };
    }
    static std::string name_of(std::size_t gateway) { return "g" + std::to_string(gateway); }
    void exchange(std::size_t gateway) {
        AllowancePool& pool = *pools.at(gateway);
        if (away) return pool.unanswered(pool.asks(now, 100, AllowancePool::Idle::keep));
        const std::string name = name_of(gateway);
        ASSERT_TRUE(authority.greet(name, RunId(RawId{7, gateway + 1}), now));
        for (const AllowanceAsk& ask : pool.asks(now, 100)) {
            const auto answer = authority.grant(name, ask, tenant.limit, settled, now);
            ASSERT_TRUE(answer);
            pool.grant(ask, *answer, now);
        }
    }
    void pass(Duration span) {
        for (const Time until = now + span; now < until; now += 1s)
            for (std::size_t gateway = 0; gateway < pools.size(); ++gateway) {
                pools.at(gateway)->sweep(now);
                if (pools.at(gateway)->wants_to_ask()) exchange(gateway);
            }
    }
    // The others hear that something is wanted of them, if they live, and answer.
    void recall() {
        for (std::size_t gateway = 0; gateway < pools.size(); ++gateway) {
            if (gateway == dead) continue;
            const std::vector<LeaseId> leases = authority.take_recalled(name_of(gateway));
            pools.at(gateway)->recall(leases);
            if (!leases.empty()) exchange(gateway);
        }
    }
    std::expected<Hold, Lack> hold(std::size_t gateway) {
        AllowancePool& pool = *pools.at(gateway);
        const Demand wanted = demand();
        auto hold = pool.hold({&wanted, 1}, now, now + 1min);
        if (hold || hold.error().refused) return hold;
        EXPECT_TRUE(pool.wait_for({&wanted, 1}, now));
        const Time until = now + 2s;
        for (bool again = true; again && !hold; now += again ? 20ms : 0ms) {
            pool.queue_lacking({&wanted, 1}, now);
            exchange(gateway);
            hold = pool.hold({&wanted, 1}, now, now + 1min);
            again = !away && now < until && pool.view(wanted.account, now)->recalled;
            recall();
        }
        pool.stop_waiting({&wanted, 1});
        return hold;
    }
    bool call(std::size_t gateway = 0) {
        std::expected<Hold, Lack> hold = this->hold(gateway);
        if (!hold) return false;
        const LeaseId lease = hold->wallet_lease();
        hold->settle({tenant.each.exact_money(), tenant.each.count()});
        if (!away && tenant.measure == Measure::wallet) {
            authority.draw(lease, tenant.each);
            settled += tenant.each;
        }
        return true;
    }
    // Calls at the first gateway, so far apart: how many were served.
    int serve(int calls, Duration apart) {
        int served = 0;
        for (int n = 0; n < calls; ++n) {
            served += call() ? 1 : 0;
            pass(apart);
        }
        return served;
    }
    Units stands(std::size_t gateway = 0) const {
        const auto view = pools.at(gateway)->view(demand().account, now);
        return view ? view->free : Units();
    }
};

const Tenant kWallet{Measure::wallet, yuan_milli(100'000'000), yuan_milli(1'000)};
const Tenant kTokensOfDay{Measure::tokens_day, Units::whole(100'000'000), Units::whole(1000)};
const Tenant kRequestsOfMinute{Measure::requests_minute, Units::whole(60), Units::whole(1)};
const Tenant kAtOneTime{Measure::concurrency, Units::whole(8), Units::whole(1)};

class AllowanceOutage : public testing::TestWithParam<Tenant> {};
INSTANTIATE_TEST_SUITE_P(
    OfEveryKind, AllowanceOutage,
    testing::Values(kWallet, kTokensOfDay, kRequestsOfMinute, kAtOneTime)
);

TEST_P(AllowanceOutage, ServesAnHourAtThePaceOfAFewCalls) {
    Platform p(GetParam());
    ASSERT_EQ(p.serve(4, 40s), 4);

    p.away = true;

    EXPECT_EQ(p.serve(90, 40s), 90);
}

TEST_P(AllowanceOutage, ServesAnHourAtThePaceOfManyHours) {
    Platform p(GetParam());
    ASSERT_EQ(p.serve(30, 11min), 30);

    p.away = true;

    EXPECT_EQ(p.serve(6, 11min), 6);
}

TEST_P(AllowanceOutage, ServesAHandfulOfCallsAfterHoursWithoutAny) {
    Platform p(GetParam());
    ASSERT_EQ(p.serve(4, 40s), 4);
    p.pass(5h);

    p.away = true;

    EXPECT_EQ(p.serve(4, 40s), 4);
}

// Whenever it begins, not only when as much as possible is there.
TEST_P(AllowanceOutage, ServesAnHourAtAQuickPaceFromAnyMoment) {
    for (const int calls : {100, 131, 177}) {
        Platform p(GetParam());
        ASSERT_EQ(p.serve(calls, 10s), calls);

        p.away = true;

        EXPECT_EQ(p.serve(360, 10s), 360) << calls;
    }
}

TEST(AllowanceOutage, AHalfUsedBudgetServesAnHourToo) {
    Platform p(kWallet);
    p.settled = yuan_milli(100'000);
    p.tenant.limit = yuan_milli(200'000);  // an eighth of what is left: twelve calls
    ASSERT_EQ(p.serve(3, 15min), 3);

    p.away = true;

    EXPECT_EQ(p.serve(4, 15min), 4);
}

TEST(AllowanceOutage, OfWhatIsLeftAnEighthStandsAtMost) {
    Platform p(kWallet);
    p.tenant.limit = yuan_milli(100'000);
    ASSERT_EQ(p.serve(60, 40s), 60);

    EXPECT_EQ(p.stands(), yuan_milli(40'000) / 8);
}

// Two gateways with a wallet of three yuan, and calls that cost half of one.
TEST(AllowanceOutage, OfASmallWalletAThirdStandsForAFewCalls) {
    Platform p(kWallet);
    p.tenant.limit = yuan_milli(3'000);
    p.tenant.each = yuan_milli(500);
    ASSERT_EQ(p.serve(1, 40s), 1);
    EXPECT_LE(p.stands(), yuan_milli(2'500) / 3);

    ASSERT_TRUE(p.call(1));
    p.pass(40s);
    EXPECT_LE(p.stands(1), yuan_milli(2'000 - 500) / 3);
    p.away = true;
    EXPECT_TRUE(p.call(0));
}

// What stands at an idle gateway goes to the one that is used, to the last yuan.
TEST(AllowanceSharing, WhatStandsIsUsedElsewhereAtOnce) {
    Platform p(kWallet);
    p.tenant.limit = yuan_milli(20'000);
    ASSERT_EQ(p.serve(8, 40s), 8);
    ASSERT_GT(p.stands(), Units());

    for (int n = 0; n < 12; ++n) EXPECT_TRUE(p.call(1)) << n;

    EXPECT_FALSE(p.call(1));
}

TEST(AllowanceSharing, OneAtATimeServesTwoGatewaysByTurns) {
    Platform p({Measure::concurrency, Units::whole(1), Units::whole(1)});
    for (std::size_t n = 0; n < 20; ++n) EXPECT_TRUE(p.call(n % 2)) << n;
    EXPECT_LT(p.now - kBegin, 1s);
}

TEST(AllowanceSharing, WhatAMinuteLeavesAtOneGatewayIsServedByTheOther) {
    Platform p({Measure::requests_minute, Units::whole(20), Units::whole(1)});
    ASSERT_TRUE(p.call(0));
    p.now += 15s;

    int served = 0;
    while (served < 30 && p.call(1)) ++served;

    EXPECT_EQ(served, 19);
    EXPECT_LT(p.now - kBegin, 20s);
}

// What was used shortly before a minute ended counts at a gateway whose clock is behind.
TEST(AllowanceSharing, WhatTheMinuteBeforeUsedRestsUntilItIsOverEverywhere) {
    Platform p({Measure::requests_minute, Units::whole(4), Units::whole(1)});
    p.now += 58s;
    for (int n = 0; n < 4; ++n) ASSERT_TRUE(p.call(0));
    p.now = kBegin + 62s;
    EXPECT_FALSE(p.call(1)) << "its minute may be the one before";

    p.now = kBegin + 135s;
    p.authority.sweep(p.now);
    EXPECT_TRUE(p.call(1));
}

TEST(AllowanceSharing, WhatIsInUseElsewhereIsRefusedWithoutDelay) {
    Platform p({Measure::concurrency, Units::whole(1), Units::whole(1)});
    std::expected<Hold, Lack> running = p.hold(0);
    ASSERT_TRUE(running);

    EXPECT_FALSE(p.call(1));
    EXPECT_LT(p.now - kBegin, 100ms);
    running->release();
    p.now += 1s;
    EXPECT_TRUE(p.call(1));
}

TEST(AllowanceSharing, AGatewayThatDoesNotAnswerIsWaitedForOnce) {
    Platform p({Measure::concurrency, Units::whole(1), Units::whole(1)});
    ASSERT_TRUE(p.call(0));
    p.dead = 0;

    EXPECT_FALSE(p.call(1));
    EXPECT_GE(p.now - kBegin, AllowanceAuthority::kRecallFor);
    p.now += 1s;
    const Time again = p.now;
    EXPECT_FALSE(p.call(1));
    EXPECT_EQ(p.now, again);
}

}  // namespace
}  // namespace penstock::routing
