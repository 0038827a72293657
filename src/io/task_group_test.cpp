// SPDX-License-Identifier: Apache-2.0
#include "io/task_group.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "io/event.h"
#include "io/runtime.h"

namespace penstock::io {
namespace {

Task<> sleeper(int* ended) {
    struct Mark {
        int* count;
        ~Mark() { ++*count; }
    } mark{ended};
    co_await sleep_for(1h);
}

Task<> short_task(int* ended) {
    co_await yield_now();
    ++*ended;
}

Task<> thrower() {
    co_await yield_now();
    throw std::runtime_error("broken");
}

Task<> run_two_and_close(TaskGroup* group) {
    co_await yield_now();
    co_await group->close();
}

Task<> nested_owner(int* ended, Event* started) {
    co_await with_group("inner", [=](TaskGroup* group) -> Task<> {
        group->spawn(sleeper(ended));
        started->notify_all();
        return sleep_for(1h);
    });
}

Task<> close_after(TaskGroup* group, Event* started) {
    (void)co_await started->wait();
    co_await yield_now();
    co_await yield_now();
    co_await group->close();
}

TEST(TaskGroup, CloseCancelsAndJoins) {
    Runtime runtime;
    TaskGroup group(runtime.executor(), "test");
    int ended = 0;
    group.spawn(sleeper(&ended));
    group.spawn(sleeper(&ended));
    EXPECT_EQ(group.size(), 2U);

    runtime.block_on(run_two_and_close(&group));

    EXPECT_EQ(group.size(), 0U);
    EXPECT_EQ(ended, 2);
}

TEST(TaskGroup, DropsWhatIsSpawnedAfterClose) {
    Runtime runtime;
    TaskGroup group(runtime.executor(), "test");
    int ended = 0;
    runtime.block_on(group.close());

    group.spawn(short_task(&ended));
    runtime.block_on(yield_now());

    EXPECT_EQ(group.size(), 0U);
    EXPECT_EQ(ended, 0);
}

TEST(TaskGroup, DrainWaitsForTheTasks) {
    Runtime runtime;
    TaskGroup group(runtime.executor(), "test");
    int ended = 0;
    group.spawn(short_task(&ended));

    const bool empty = runtime.block_on(group.drain(Deadline::after(10s)));

    EXPECT_TRUE(empty);
    EXPECT_EQ(ended, 1);
}

TEST(TaskGroup, DrainGivesUpAtItsDeadline) {
    Runtime runtime;
    TaskGroup group(runtime.executor(), "test");
    int ended = 0;
    group.spawn(sleeper(&ended));

    const bool empty = runtime.block_on(group.drain(Deadline::after(5ms)));

    EXPECT_FALSE(empty);
    runtime.block_on(group.close());
}

TEST(TaskGroup, ANestedGroupIsClosedWhenItsOwnerIsCancelled) {
    Runtime runtime;
    TaskGroup group(runtime.executor(), "outer");
    Event started(runtime.executor());
    int ended = 0;
    group.spawn(nested_owner(&ended, &started));

    runtime.block_on(close_after(&group, &started));

    EXPECT_EQ(ended, 1);
}

TEST(TaskGroupDeath, AnExceptionThatLeavesATaskIsADefect) {
    EXPECT_DEATH(
        {
            Runtime runtime;
            TaskGroup group(runtime.executor(), "worker");
            group.spawn(thrower());
            (void)runtime.block_on(group.drain(Deadline::none()));
        },
        "group 'worker', but this did: broken"
    );
}

TEST(TaskGroupDeath, DestructionWithRunningTasksIsADefect) {
    EXPECT_DEATH(
        {
            int ended = 0;
            Runtime runtime;
            TaskGroup group(runtime.executor(), "worker");
            group.spawn(sleeper(&ended));
            runtime.block_on(yield_now());
        },
        "group 'worker' was closed"
    );
}

}  // namespace
}  // namespace penstock::io
