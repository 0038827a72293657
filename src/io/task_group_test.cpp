// SPDX-License-Identifier: Apache-2.0
#include "io/task_group.h"

#include <gtest/gtest.h>

#include <memory>
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

Task<> holder(std::shared_ptr<int> /*kept*/, int* ended) {
    ++*ended;
    co_return;
}

Task<> thrower() {
    co_await yield_now();
    throw std::runtime_error("broken");
}

Task<> run_two_and_close(TaskGroup* group) {
    co_await yield_now();
    co_await group->close();
}

struct Start {
    explicit Start(Executor executor) : told(std::move(executor)) {}
    bool has_come = false;
    Event told;
};

Task<> nested_owner(int* ended, Start* start) {
    co_await with_group("inner", [=](TaskGroup* group) -> Task<> {
        group->spawn(sleeper(ended));
        start->has_come = true;
        start->told.notify_all();
        return sleep_for(1h);
    });
}

Task<> close_after(TaskGroup* group, Start* start) {
    while (!start->has_come) (void)co_await start->told.wait();
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

Task<> spawn_one_now(TaskGroup* group, Task<> task, TaskGroup::Canceller* canceller) {
    group->spawn_now(std::move(task), [canceller](TaskGroup::Canceller given) {
        *canceller = std::move(given);
        EXPECT_TRUE(*canceller) << "it has not ended yet";
    });
    co_return;
}

TEST(TaskGroup, WhatIsSpawnedNowRunsToItsFirstWait) {
    Runtime runtime;
    TaskGroup group(runtime.executor(), "test");
    int ended = 0;
    TaskGroup::Canceller canceller;
    const auto kept = std::make_shared<int>(0);
    runtime.block_on(spawn_one_now(&group, holder(kept, &ended), &canceller));
    EXPECT_EQ(ended, 1);
    EXPECT_FALSE(canceller);

    runtime.block_on(spawn_one_now(&group, sleeper(&ended), &canceller));
    EXPECT_EQ(ended, 1);
    EXPECT_TRUE(canceller);
    canceller.cancel();
    EXPECT_TRUE(runtime.block_on(group.drain(Deadline::after(10s))));
    EXPECT_EQ(ended, 2);

    runtime.block_on(group.close());
    group.spawn_now(holder(kept, &ended), [](const TaskGroup::Canceller&) {
        ADD_FAILURE() << "it is dropped after close()";
    });
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(kept.use_count(), 1);
}

TEST(TaskGroup, WhatIsCancelledBeforeItStartsNeverRuns) {
    Runtime runtime;
    TaskGroup group(runtime.executor(), "test");
    int ended = 0;
    const auto kept = std::make_shared<int>(0);
    const TaskGroup::Canceller canceller = group.spawn(holder(kept, &ended));
    EXPECT_EQ(kept.use_count(), 2);

    canceller.cancel();
    EXPECT_TRUE(runtime.block_on(group.drain(Deadline::after(10s))));

    EXPECT_EQ(ended, 0);
    EXPECT_EQ(kept.use_count(), 1);
    EXPECT_FALSE(canceller);
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
    Start start(runtime.executor());
    int ended = 0;
    group.spawn(nested_owner(&ended, &start));

    runtime.block_on(close_after(&group, &start));

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
