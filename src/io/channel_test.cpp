// SPDX-License-Identifier: Apache-2.0
#include "io/channel.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "io/runtime.h"
#include "io/task_group.h"

namespace penstock::io {
namespace {

Task<> produce(Channel<int>* channel, int count) {
    for (int i = 0; i < count; ++i) (void)co_await channel->push(i);
    channel->close();
}

Task<std::vector<int>> collect(Channel<int>* channel) {
    std::vector<int> all;
    while (auto value = co_await channel->pop()) all.push_back(*value);
    co_return all;
}

TEST(Channel, KeepsTheOrderAndBlocksAtItsCapacity) {
    Runtime runtime;
    Channel<int> channel(runtime.executor(), 2);
    TaskGroup group(runtime.executor(), "test");
    group.spawn(produce(&channel, 100));

    const std::vector<int> all = runtime.block_on(collect(&channel));

    std::vector<int> expected(100);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(all, expected);
    runtime.block_on(group.close());
}

TEST(Channel, RefusesWhenFullOrClosed) {
    Runtime runtime;
    Channel<int> channel(runtime.executor(), 1);

    EXPECT_TRUE(channel.try_push(1));
    EXPECT_FALSE(channel.try_push(2));
    channel.close();
    EXPECT_FALSE(runtime.block_on(channel.push(3)));
    EXPECT_EQ(runtime.block_on(channel.pop()), 1);
    EXPECT_EQ(runtime.block_on(channel.pop()), std::nullopt);
}

TEST(Channel, PopGivesUpAtItsDeadline) {
    Runtime runtime;
    Channel<int> channel(runtime.executor(), 1);

    EXPECT_EQ(runtime.block_on(channel.pop(Deadline::after(1ms))), std::nullopt);
    EXPECT_FALSE(channel.closed());
}

}  // namespace
}  // namespace penstock::io
