// SPDX-License-Identifier: Apache-2.0
#include "io/task.h"

#include <gtest/gtest.h>

#include "io/event.h"
#include "io/runtime.h"

namespace penstock::io {
namespace {

Task<Result<int>> answer() { co_return 42; }

Task<Result<int>> sleep_long(bool* unwound) {
    struct Mark {
        bool* flag;
        ~Mark() { *flag = true; }
    } mark{unwound};
    co_await sleep_for(1h);
    co_return 1;
}

Task<> notified(Event* event) { (void)co_await event->wait(); }

Task<Result<int>> nested(bool* unwound) {
    co_return co_await with_deadline(sleep_long(unwound), Deadline::after(1h));
}

TEST(WithDeadline, GivesTheResultOfATaskThatIsInTime) {
    Runtime runtime;

    const Result<int> result = runtime.block_on(with_deadline(answer(), Deadline::after(10s)));

    EXPECT_EQ(result, 42);
}

TEST(WithDeadline, CancelsATaskThatIsLate) {
    Runtime runtime;
    bool unwound = false;

    const Result<int> result =
        runtime.block_on(with_deadline(sleep_long(&unwound), Deadline::after(10ms)));

    EXPECT_EQ(result.error().code, ErrorCode::deadline_exceeded);
    EXPECT_TRUE(unwound);
}

TEST(WithDeadline, TheOuterDeadlineReachesThroughTheInnerOne) {
    Runtime runtime;
    bool unwound = false;

    const Result<int> result =
        runtime.block_on(with_deadline(nested(&unwound), Deadline::after(10ms)));

    EXPECT_EQ(result.error().code, ErrorCode::deadline_exceeded);
    EXPECT_TRUE(unwound);
}

TEST(Race, KeepsTheResultOfTheWinner) {
    Runtime runtime;

    const auto result = runtime.block_on(race(answer(), sleep_for(1h)));

    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(*result, 42);
}

TEST(Race, CancelsTheLoser) {
    Runtime runtime;
    Event gone(runtime.executor());
    bool unwound = false;
    runtime.post([&] { runtime.post([&] { gone.notify_all(); }); });

    const auto result = runtime.block_on(race(sleep_long(&unwound), notified(&gone)));

    EXPECT_FALSE(result.has_value());
    EXPECT_TRUE(unwound);
}

TEST(Deadline, RemainingIsNeverNegative) {
    const Deadline past = Deadline::after(-5s);

    EXPECT_TRUE(past.passed());
    EXPECT_EQ(past.remaining(), 0s);
    EXPECT_FALSE(Deadline::none().passed());
    EXPECT_EQ(Deadline::after(Duration::max()), Deadline::none());
}

}  // namespace
}  // namespace penstock::io
