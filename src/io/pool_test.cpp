// SPDX-License-Identifier: Apache-2.0
#include "io/pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <string>
#include <thread>

#include "io/runtime.h"
#include "io/task_group.h"

namespace penstock::io {
namespace {

struct Threads {
    std::thread::id before;
    std::thread::id inside;
    std::thread::id after;
};

Task<Threads> observe(Pool* pool) {
    Threads threads;
    threads.before = std::this_thread::get_id();
    threads.inside = co_await pool->run([] { return std::this_thread::get_id(); });
    threads.after = std::this_thread::get_id();
    co_return threads;
}

Task<> add_in_pool(Pool* pool, int* sum) {
    const Result<int> one = co_await pool->run([] { return Result<int>(1); });
    *sum += *one;
}

Task<> run_blocked(Pool* pool, std::atomic<bool>* release, bool* done) {
    std::string owned = "the frame outlives the job";
    co_await pool->run([&owned, release] {
        release->wait(false);
        owned += '.';
    });
    *done = true;
}

Task<> release_while_closing(TaskGroup* group, std::atomic<bool>* release) {
    co_await yield_now();
    co_await yield_now();
    group->cancel();
    *release = true;
    release->notify_all();
    co_await group->close();
}

TEST(Pool, RunsElsewhereAndComesBack) {
    Runtime runtime;
    Pool pool(2);

    const Threads threads = runtime.block_on(observe(&pool));

    EXPECT_EQ(threads.before, threads.after);
    EXPECT_NE(threads.before, threads.inside);
}

TEST(Pool, ManyCallersShareIt) {
    Runtime runtime;
    Pool pool(3);
    TaskGroup group(runtime.executor(), "test");
    int sum = 0;
    for (int i = 0; i < 500; ++i) group.spawn(add_in_pool(&pool, &sum));

    runtime.block_on(group.drain(Deadline::none()));

    EXPECT_EQ(sum, 500);
}

TEST(Pool, ACancelledCallerStillWaitsForItsJob) {
    Runtime runtime;
    Pool pool(1);
    TaskGroup group(runtime.executor(), "test");
    std::atomic<bool> release = false;
    bool done = false;
    group.spawn(run_blocked(&pool, &release, &done));

    runtime.block_on(release_while_closing(&group, &release));

    EXPECT_EQ(group.size(), 0U);
    EXPECT_TRUE(done);
}

TEST(Pool, PostedWorkRunsBeforeItsDestruction) {
    std::atomic<int> count = 0;
    {
        Pool pool(2);
        for (int i = 0; i < 10; ++i) EXPECT_TRUE(pool.post([&] { ++count; }));
    }

    EXPECT_EQ(count, 10);
}

Task<int> policy_of_jobs(Pool* pool) {
    co_return co_await pool->run([] { return ::sched_getscheduler(0); });
}

TEST(Pool, JobsAreNotWokenBeforeTheLoop) {
    Runtime runtime;
    Pool pool(1);
    EXPECT_EQ(runtime.block_on(policy_of_jobs(&pool)), SCHED_BATCH);
    EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
}

}  // namespace
}  // namespace penstock::io
