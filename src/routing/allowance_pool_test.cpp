// SPDX-License-Identifier: Apache-2.0
#include "routing/allowance_pool.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

const Time kNow = Time(1'764'547'200s);

// A pool that has been granted `granted` of one account.
struct PoolFixture {
    SeededRandom random{1};
    IdSource ids{random};
    AllowancePool pool{Money::micro(100), ids};
    Demand demand;

    PoolFixture(Measure measure, Units granted, Units each, Units remaining = {}) {
        demand = {{.subject = {1, 1}, .level = Level::key, .measure = measure}, each, granted};
        EXPECT_TRUE(pool.wait_for({&demand, 1}, kNow));
        const std::vector<AllowanceAsk> asks = pool.asks(kNow, 10);
        Allowance answer{.lease_id = asks.at(0).lease_id, .granted = granted};
        answer.expires_at = kNow + 1h;
        answer.remaining = remaining;
        pool.grant(asks.at(0), answer, kNow);
        pool.stop_waiting({&demand, 1});
    }
    std::expected<Hold, Lack> hold(Time now = kNow) {
        return pool.hold({&demand, 1}, now, now + 1min);
    }
};

TEST(AllowancePool, AHoldThatIsDroppedIsFreeAgain) {
    PoolFixture f(Measure::concurrency, Units::whole(1), Units::whole(1));
    {
        const std::expected<Hold, Lack> first = f.hold();
        ASSERT_TRUE(first);
        EXPECT_FALSE(f.hold());
    }

    EXPECT_TRUE(f.hold());
    EXPECT_EQ(f.pool.holds_open(), 0U);
}

TEST(AllowancePool, WhatHasEndedIsNoLongerOneAtATime) {
    PoolFixture f(Measure::concurrency, Units::whole(1), Units::whole(1));
    std::expected<Hold, Lack> first = f.hold();
    ASSERT_TRUE(first);

    first->stop_running();
    std::expected<Hold, Lack> second = f.hold();
    ASSERT_TRUE(second);
    first->settle({});
    EXPECT_FALSE(f.hold()) << "the second runs";
}

TEST(AllowancePool, WhatHasEndedHoldsItsMoneyUntilItIsSettled) {
    PoolFixture f(Measure::budget, Units::of(Money::micro(10)), Units::of(Money::micro(8)));
    std::expected<Hold, Lack> hold = f.hold();
    ASSERT_TRUE(hold);

    hold->stop_running();
    EXPECT_FALSE(f.hold());
}

TEST(AllowancePool, ChargesWhatWasUsedAndFreesTheRest) {
    PoolFixture f(Measure::budget, Units::of(Money::micro(10)), Units::of(Money::micro(8)));
    std::expected<Hold, Lack> hold = f.hold();
    ASSERT_TRUE(hold);

    hold->settle({.charge = Units::of(Money::micro(2)).exact_money()});

    EXPECT_TRUE(f.hold());
    EXPECT_EQ(to_string(f.pool.view(f.demand.account, kNow)->used), "0.000002");
}

TEST(AllowancePool, GivesBackAllOfIt) {
    PoolFixture f(Measure::budget, Units::of(Money::micro(10)), Units::of(Money::micro(8)));
    f.hold()->settle({.charge = ExactMoney(2'333'333'333)});

    f.pool.close(kNow);

    const Units used = f.pool.view(f.demand.account, kNow)->used;
    EXPECT_EQ(f.pool.asks(kNow, 10).at(0).returned, Units::of(Money::micro(10)) - used);
}

TEST(AllowancePool, SaysAgainWhatItGaveBackWhenTheAnswerWasLost) {
    PoolFixture f(Measure::budget, Units::of(Money::micro(10)), Units::of(Money::micro(8)));
    f.pool.close(kNow);
    const std::vector<AllowanceAsk> lost = f.pool.asks(kNow, 10);
    ASSERT_EQ(lost.size(), 1U);
    f.pool.close(kNow);
    EXPECT_FALSE(f.pool.wants_to_ask()) << "it may still be answered";

    f.pool.unanswered(lost);
    f.pool.close(kNow);

    const std::vector<AllowanceAsk> again = f.pool.asks(kNow, 10);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].returned, Units::of(Money::micro(10)));
}

TEST(AllowancePool, GivesBackWhatIsOverByAClockThatJumped) {
    PoolFixture f(Measure::budget, Units::of(Money::micro(10)), Units::of(Money::micro(8)));
    const Time ahead = kNow + 960h;
    f.pool.sweep(ahead);
    const std::vector<AllowanceAsk> asks = f.pool.asks(ahead, 10);
    ASSERT_EQ(asks.size(), 1U) << "it may still be good at the server";
    EXPECT_EQ(asks[0].returned, Units::of(Money::micro(10)));

    f.pool.unanswered(asks);
    f.pool.sweep(ahead);
    EXPECT_EQ(f.pool.accounts(), 0U) << "once is enough";
}

TEST(AllowancePool, AMinuteBeginsAnew) {
    PoolFixture f(Measure::requests_minute, Units::whole(1), Units::whole(1));
    f.hold()->settle({});

    EXPECT_FALSE(f.hold(kNow + 59s));
    EXPECT_TRUE(f.hold(kNow + 60s));
}

TEST(AllowancePool, AClockThatStepsBackGivesNoSecondMinute) {
    PoolFixture f(Measure::requests_minute, Units::whole(1), Units::whole(1));
    f.hold()->settle({});

    EXPECT_FALSE(f.hold(kNow - 90s));
}

TEST(AllowancePool, NoCallBeginsOnALeaseThatIsAboutToExpire) {
    PoolFixture f(Measure::concurrency, Units::whole(1), Units::whole(1));

    EXPECT_FALSE(f.hold(kNow + 1h - AllowancePool::kExpiryMargin));
}

TEST(AllowancePool, TellsWhatIsDoneWithALease) {
    PoolFixture f(Measure::requests_day, Units::whole(5), Units::whole(1));
    std::expected<Hold, Lack> ended = f.hold();
    const std::expected<Hold, Lack> runs = f.hold();
    ASSERT_TRUE(ended && runs);
    ended->settle({});

    std::int64_t left_out = -1;
    const std::vector<LeaseUse> uses = f.pool.lease_uses(kNow, 10, &left_out);
    ASSERT_EQ(uses.size(), 1U);
    EXPECT_EQ(left_out, 0);
    EXPECT_EQ(uses[0].held, Units::whole(1));
    EXPECT_EQ(uses[0].used, Units::whole(1));
    EXPECT_EQ(uses[0].free, Units::whole(3));
    EXPECT_TRUE(f.pool.lease_uses(kNow, 0, &left_out).empty());
    EXPECT_EQ(left_out, 1);
}

TEST(AllowancePool, GivesBackWhatTheMinuteUsedWhenItCloses) {
    PoolFixture f(Measure::requests_minute, Units::whole(4), Units::whole(1));
    f.hold()->settle({});
    f.pool.close(kNow);
    EXPECT_EQ(f.pool.asks(kNow, 10).at(0).returned, Units::whole(4))
        << "nobody asks for it here any more; the server counts it to the end of the minute";
}

TEST(AllowancePool, GivesAllBackWhenItClosesAndServesAgainWhenItReopens) {
    PoolFixture f(Measure::concurrency, Units::whole(4), Units::whole(1));
    f.pool.close(kNow);
    const std::vector<AllowanceAsk> back = f.pool.asks(kNow, 10);
    ASSERT_EQ(back.size(), 1U);
    EXPECT_EQ(back[0].returned, Units::whole(4));
    EXPECT_FALSE(f.hold());

    f.pool.reopen();
    EXPECT_TRUE(f.pool.wait_for({&f.demand, 1}, kNow));
    f.pool.grant(back[0], {.lease_id = back[0].lease_id, .granted = Units::whole(4)}, kNow);
    f.pool.queue_lacking({&f.demand, 1}, kNow);
    const std::vector<AllowanceAsk> asks = f.pool.asks(kNow, 10);
    ASSERT_EQ(asks.size(), 1U);
    EXPECT_GE(asks[0].needed, Units::whole(1));
    f.pool.stop_waiting({&f.demand, 1});
}

// The server's answer to the only ask there is: all it gives back is taken, nothing is added.
AllowanceAsk exchange(PoolFixture& f, Time now, bool wanted_back = false) {
    f.pool.sweep(now);
    const std::vector<AllowanceAsk> asks = f.pool.asks(now, 10);
    if (asks.size() != 1) {
        ADD_FAILURE() << asks.size() << " asks";
        return {};
    }
    Allowance answer{.lease_id = asks[0].lease_id, .granted = asks[0].known};
    answer.expires_at = now + 1h;
    answer.wanted_back = wanted_back;
    answer.remaining = Units::whole(1000);
    f.pool.grant(asks[0], answer, now);
    return asks[0];
}

TEST(AllowancePool, KeepsAMultipleOfWhatItsCallsHeldAtOneTimeForTheNextOnes) {
    PoolFixture f(Measure::tokens_day, Units::whole(800), Units::whole(3), Units::whole(1000));
    {
        const std::expected<Hold, Lack> first = f.hold();
        const std::expected<Hold, Lack> second = f.hold();
        ASSERT_TRUE(first && second);
    }
    static_assert(AllowancePool::kStandingTimes == 4);
    const Time quiet = kNow + AllowancePool::kPaceFor;
    EXPECT_EQ(exchange(f, quiet).returned, Units::whole(776));
    EXPECT_EQ(f.pool.view(f.demand.account, quiet)->free, Units::whole(24));

    // The lease is renewed meanwhile.
    for (Time now = quiet + 1min; now < kNow + AllowancePool::kStandFor; now += 10min) {
        EXPECT_EQ(exchange(f, now).returned, Units::whole(776));
        EXPECT_EQ(f.pool.view(f.demand.account, now)->expires_at, now + 1h);
    }
    f.demand.units = Units::whole(24);
    EXPECT_TRUE(f.hold(kNow + AllowancePool::kStandFor - 1s)) << "a larger call does not wait";
    const Time unused = kNow + 2 * AllowancePool::kStandFor - 1s;
    EXPECT_EQ(exchange(f, unused).returned, Units::whole(800));
    f.pool.sweep(unused);
    EXPECT_EQ(f.pool.accounts(), 0U);
}

TEST(AllowancePool, AnotherTimeOfUseHasAStandingPartOfItsOwn) {
    PoolFixture f(Measure::tokens_day, Units::whole(800), Units::whole(3), Units::whole(1000));
    {
        const std::expected<Hold, Lack> first = f.hold();
        const std::expected<Hold, Lack> second = f.hold();
    }
    const Time later = kNow + AllowancePool::kPaceFor;
    exchange(f, later);
    EXPECT_TRUE(f.hold(later));
    EXPECT_EQ(exchange(f, later + AllowancePool::kPaceFor).returned, Units::whole(788));
}

// Two calls of three tokens in the first minute, then none.
TEST(AllowancePool, KeepsWhatAnHourNeedsAtThePaceOfTheLastOne) {
    PoolFixture f(Measure::tokens_day, Units::whole(8000), Units::whole(3), Units::whole(1000));
    for (int n = 0; n < 2; ++n) f.hold()->release();
    EXPECT_EQ(exchange(f, kNow + 1min).returned, Units::whole(8000 - 6 * 60 - 12));
    EXPECT_EQ(exchange(f, kNow + 10min).returned, Units::whole(8000 - 6 * 6 - 12));
    EXPECT_EQ(
        exchange(f, kNow + 59min).returned, Units::whole(8000 - 6 - 12 - 1) + Units::whole(1)
    );
}

TEST(AllowancePool, AStandingShareIsAtLeastWhatAMinuteUsed) {
    PoolFixture f(Measure::requests_minute, Units::whole(60), Units::whole(1));
    for (int n = 0; n < 30; ++n) f.hold()->settle({});
    EXPECT_EQ(exchange(f, kNow + 2min).returned, Units::whole(30))
        << "a third of the limit is less";
    EXPECT_TRUE(f.hold(kNow + 3min));
}

TEST(AllowancePool, AStandingShareIsAThirdOfTheLimitAtMostWhereAMinuteUsedLess) {
    PoolFixture f(Measure::requests_minute, Units::whole(60), Units::whole(1));
    for (int n = 0; n < 10; ++n) f.hold()->settle({});
    EXPECT_EQ(exchange(f, kNow + 2min).returned, Units::whole(40));
}

TEST(AllowancePool, AShareStandsBesideWhatItsMinuteUsed) {
    PoolFixture f(Measure::requests_minute, Units::whole(800), Units::whole(1));
    for (int n = 0; n < 5; ++n) f.hold()->settle({});
    const Time same_minute = kNow + AllowancePool::kKeepFor;
    EXPECT_EQ(exchange(f, same_minute).returned, Units::whole(800 - 5 - 20));
    EXPECT_EQ(f.pool.view(f.demand.account, same_minute)->free, Units::whole(20));
    // What the minute used is free with the next one, and goes back then.
    EXPECT_EQ(exchange(f, kNow + 1min).returned, Units::whole(800 - 20));
}

TEST(AllowancePool, AShareOfAMinuteIsKeptUntilItIsGivenBack) {
    PoolFixture f(Measure::requests_minute, Units::whole(8), Units::whole(1));
    for (int n = 0; n < 8; ++n) f.hold()->settle({});
    const Time same_minute = kNow + AllowancePool::kKeepFor;
    EXPECT_EQ(exchange(f, same_minute, true).returned, Units()) << "all of it is used";
    EXPECT_EQ(exchange(f, kNow + 1min).returned, Units::whole(8)) << "others want it";
    f.pool.sweep(kNow + 1min);
    EXPECT_EQ(f.pool.accounts(), 0U);
}

TEST(AllowancePool, AStandingPartIsGivenBackWhenOthersWantIt) {
    PoolFixture f(Measure::tokens_day, Units::whole(80), Units::whole(3), Units::whole(1000));
    f.hold()->release();
    exchange(f, kNow + AllowancePool::kKeepFor, true);
    EXPECT_EQ(exchange(f, kNow + AllowancePool::kKeepFor + 1s).returned, Units::whole(80));
}

TEST(AllowancePool, NothingStandsWhereManyAccountsAreKept) {
    PoolFixture f(Measure::tokens_day, Units::whole(80), Units::whole(3), Units::whole(1000));
    f.hold()->release();
    std::vector<Demand> others(AllowancePool::kStandingAccountsMax, f.demand);
    for (std::size_t n = 0; n < others.size(); ++n) {
        others[n].account.subject = {2, n};
        ASSERT_TRUE(f.pool.wait_for({&others[n], 1}, kNow));
    }
    const Time now = kNow + AllowancePool::kKeepFor;
    f.pool.sweep(now);
    for (const AllowanceAsk& ask : f.pool.asks(now, others.size() + 1)) {
        if (ask.known.is_zero()) continue;  // one of the others, which wait
        EXPECT_EQ(ask.returned, Units::whole(80));
    }
}

TEST(AllowancePool, NothingStandsNearTheLimit) {
    PoolFixture f(Measure::tokens_day, Units::whole(6), Units::whole(3));
    f.hold()->release();
    EXPECT_EQ(exchange(f, kNow + AllowancePool::kKeepFor).returned, Units::whole(6))
        << "a third of what is left is less than a call needs";
}

Units yuan(std::int64_t amount) { return Units::of(Money::micro(amount * 1'000'000)); }

// It serves an hour without the server.
TEST(AllowancePool, WhatIsSpentInAMinuteIsKeptForAnHour) {
    PoolFixture f(Measure::budget, yuan(10'000), yuan(1), yuan(90'000));
    for (int n = 0; n < 5; ++n) f.hold()->settle({.charge = yuan(1).exact_money()});
    f.pool.sweep(kNow + 1min);
    EXPECT_EQ(f.pool.asks(kNow + 1min, 1).at(0).wanted, Units()) << "9,995 are there";

    PoolFixture low(Measure::budget, yuan(6), yuan(1), yuan(9'000));
    low.demand.limit = yuan(10'000);
    for (int n = 0; n < 5; ++n) low.hold()->settle({.charge = yuan(1).exact_money()});
    low.pool.sweep(kNow + 1min);
    EXPECT_TRUE(low.hold(kNow + 1min));
    EXPECT_EQ(low.pool.asks(kNow + 1min, 1).at(0).wanted, yuan(455 - 1))
        << "a quarter more than six a minute for an hour and four more, less what is free";
}

TEST(AllowancePool, WhatWasSpentIsForgotten) {
    PoolFixture f(Measure::budget, yuan(6), yuan(1), yuan(9'000));
    f.demand.limit = yuan(10'000);
    for (int n = 0; n < 5; ++n) f.hold()->settle({.charge = yuan(1).exact_money()});
    exchange(f, kNow + 60min);
    f.pool.sweep(kNow + 70min);
    const std::expected<Hold, Lack> last = f.hold(kNow + 70min);
    EXPECT_TRUE(last);
    EXPECT_EQ(f.pool.asks(kNow + 70min, 1).at(0).wanted, yuan(80))
        << "a quarter more than one a minute, and four at one time";
}

}  // namespace
}  // namespace penstock::routing
