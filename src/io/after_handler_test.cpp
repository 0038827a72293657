// SPDX-License-Identifier: Apache-2.0
#include "io/after_handler.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/runtime.h"

namespace penstock::io {
namespace {

using Steps = std::vector<std::string>;

Task<> ask_and_go_on(AfterHandler* work, Steps* steps) {
    work->ask();
    work->ask();
    steps->emplace_back("went on");
    co_await yield_now();
}

TEST(AfterHandler, IsDoneOnceWhenTheHandlerHasComeToAWait) {
    Runtime runtime;
    Steps steps;
    AfterHandler work(runtime.executor(), [&] { steps.emplace_back("worked"); });

    runtime.block_on(ask_and_go_on(&work, &steps));
    EXPECT_EQ(steps, (Steps{"went on", "worked"}));

    runtime.block_on(ask_and_go_on(&work, &steps));
    EXPECT_EQ(steps, (Steps{"went on", "worked", "went on", "worked"}));
}

TEST(AfterHandler, MayBeAskedByItsOwnWork) {
    Runtime runtime;
    int times = 0;
    AfterHandler* again = nullptr;
    AfterHandler work(runtime.executor(), [&] {
        if (++times < 3) again->ask();
    });
    again = &work;

    work.ask();
    for (int turn = 0; turn < 5; ++turn) runtime.block_on(yield_now());
    EXPECT_EQ(times, 3);
}

TEST(AfterHandler, IsNotDoneAnyMoreWhenItIsGone) {
    Runtime runtime;
    bool done = false;
    {
        AfterHandler work(runtime.executor(), [&] { done = true; });
        work.ask();
    }
    runtime.block_on(yield_now());
    EXPECT_FALSE(done);
}

}  // namespace
}  // namespace penstock::io
