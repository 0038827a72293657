// SPDX-License-Identifier: Apache-2.0
#include "io/event.h"

#include <gtest/gtest.h>

#include "io/runtime.h"
#include "io/task_group.h"

namespace penstock::io {
namespace {

Task<> count_wakeups(Event* event, int* woken) {
    if (co_await event->wait()) ++*woken;
}

Task<> close_group(TaskGroup* group) {
    co_await yield_now();
    co_await yield_now();
    co_await group->close();
}

Task<> wait_until(Event* event, std::size_t waiters) {
    while (event->waiting() < waiters) co_await yield_now();
}

TEST(Event, NotifyAllWakesEveryWaiter) {
    Runtime runtime;
    Event event(runtime.executor());
    TaskGroup group(runtime.executor(), "test");
    int woken = 0;
    group.spawn(count_wakeups(&event, &woken));
    group.spawn(count_wakeups(&event, &woken));
    runtime.block_on(wait_until(&event, 2));

    event.notify_all();
    runtime.block_on(group.drain(Deadline::none()));

    EXPECT_EQ(woken, 2);
}

TEST(Event, NotifyOneWakesTheOldest) {
    Runtime runtime;
    Event event(runtime.executor());
    TaskGroup group(runtime.executor(), "test");
    int first = 0;
    int second = 0;
    group.spawn(count_wakeups(&event, &first));
    runtime.block_on(wait_until(&event, 1));
    group.spawn(count_wakeups(&event, &second));
    runtime.block_on(wait_until(&event, 2));

    event.notify_one();
    runtime.block_on(wait_until(&event, 1));
    runtime.block_on(close_group(&group));

    EXPECT_EQ(first, 1);
    EXPECT_EQ(second, 0);
}

TEST(Event, WaitTellsThatTheDeadlinePassed) {
    Runtime runtime;
    Event event(runtime.executor());

    const bool notified = runtime.block_on(event.wait(Deadline::after(1ms)));

    EXPECT_FALSE(notified);
    EXPECT_EQ(event.waiting(), 0U);
}

}  // namespace
}  // namespace penstock::io
