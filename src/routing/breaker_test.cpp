// SPDX-License-Identifier: Apache-2.0
#include "routing/breaker.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

using State = Breaker::State;
const Time kStart = Time(1'700'000'000s);

// One letter an attempt: '.' answered, 'x' failed, '-' abandoned; a tenth of a second apart.
void apply(Breaker& breaker, std::string_view attempts, Time from = kStart) {
    for (const char attempt : attempts) {
        const AttemptOutcome outcome = attempt == 'x'   ? AttemptOutcome::failed
                                       : attempt == '-' ? AttemptOutcome::abandoned
                                                        : AttemptOutcome::answered;
        breaker.end(breaker.begin(from), outcome, from);
        from += 100ms;
    }
}

TEST(Breaker, OpensWhenHalfOfTheRecentAttemptsFailed) {
    Breaker half;
    apply(half, "...xxx");
    EXPECT_EQ(half.state(kStart + 1s), State::open);

    Breaker fewer;
    apply(fewer, "....xxx....xxx");
    EXPECT_EQ(fewer.state(kStart + 2s), State::closed);
}

TEST(Breaker, NeedsSomeAttemptsBeforeItJudges) {
    Breaker breaker;
    apply(breaker, "xxxx");
    EXPECT_EQ(breaker.state(kStart + 1s), State::closed);
}

TEST(Breaker, ForgetsWhatIsOlderThanItsWindow) {
    Breaker breaker;
    apply(breaker, "xxxx");
    apply(breaker, "x", kStart + Breaker::kWindow + 1s);
    EXPECT_EQ(breaker.state(kStart + Breaker::kWindow + 2s), State::closed);
}

TEST(Breaker, AbandonedAttemptsSayNothing) {
    Breaker breaker;
    apply(breaker, "xx------------");
    EXPECT_EQ(breaker.state(kStart + 2s), State::closed);
}

TEST(Breaker, LetsOneProbeThroughAndClosesWhenItIsAnswered) {
    Breaker breaker;
    apply(breaker, "xxxxx");
    const Time later = kStart + 10s;
    EXPECT_EQ(breaker.state(later), State::half_open);
    EXPECT_TRUE(breaker.begin(later));
    EXPECT_EQ(breaker.state(later), State::probing);
    EXPECT_FALSE(breaker.lets_through(later));
    breaker.end(true, AttemptOutcome::answered, later);
    EXPECT_EQ(breaker.state(later), State::closed);
}

TEST(Breaker, StaysOpenTwiceAsLongAfterEachFailedProbe) {
    Breaker breaker;
    apply(breaker, "xxxxx");
    Time now = kStart;
    for (const Duration span : {2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
        now = now + breaker.opens_in(now);
        breaker.end(breaker.begin(now), AttemptOutcome::failed, now);
        EXPECT_EQ(breaker.opens_in(now), std::min<Duration>(span * 2, Breaker::kOpenMax));
    }
}

TEST(Breaker, OpensForFirstTokensMuchLaterThanExpected) {
    Breaker breaker;
    for (int i = 0; i < 7; ++i) breaker.first_token(5, kStart);
    EXPECT_EQ(breaker.state(kStart), State::closed);
    breaker.first_token(5, kStart);
    EXPECT_EQ(breaker.state(kStart), State::open);
    EXPECT_TRUE(breaker.is_slow());
}

TEST(Breaker, ForgivesAFewLateFirstTokens) {
    Breaker breaker;
    for (int i = 0; i < 100; ++i) breaker.first_token(i % 3 == 0 ? 50 : 1, kStart);
    EXPECT_EQ(breaker.state(kStart), State::closed);
}

TEST(Breaker, TellsSinceWhenAndWhyItIsOpenAndWhenItTriesAgain) {
    Breaker breaker;
    EXPECT_EQ(breaker.status(kStart), BreakerStatus());

    apply(breaker, "xxxxx");
    const Time opened = kStart + 400ms;
    BreakerStatus expected{
        .state = BreakerState::open,
        .cause = BreakerCause::failures,
        .since = opened,
        .next_probe = opened + Breaker::kOpenFirst,
        .times_opened = 1
    };
    EXPECT_EQ(breaker.status(opened + 1s), expected);
    expected.state = BreakerState::half_open;
    EXPECT_EQ(breaker.status(opened + 3s), expected);

    const bool probe = breaker.begin(opened + 3s);
    expected.state = BreakerState::probing;
    expected.next_probe.reset();
    EXPECT_EQ(breaker.status(opened + 3s), expected);
    breaker.end(probe, AttemptOutcome::failed, opened + 4s);
    expected.state = BreakerState::open;
    expected.next_probe = opened + 4s + 2 * Breaker::kOpenFirst;
    expected.times_opened = 2;
    EXPECT_EQ(breaker.status(opened + 4s), expected) << "it has been so since it first opened";
}

}  // namespace
}  // namespace penstock::routing
