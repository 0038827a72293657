// SPDX-License-Identifier: Apache-2.0
#include "io/readable.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "io/runtime.h"

namespace penstock::io {
namespace {

struct Pair {
    Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0); }
    ~Pair() {
        for (const int end : ends) ::close(end);
    }
    void write() { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
    bool is_open() const { return ::fcntl(ends[0], F_GETFD) >= 0; }
    std::array<int, 2> ends{-1, -1};
};

Task<Result<bool>> readable(int descriptor) {
    co_await until_readable(descriptor);
    co_return true;
}

TEST(UntilReadable, ReturnsWhenThereIsSomethingToRead) {
    Runtime runtime;
    Pair pair;
    pair.write();
    EXPECT_TRUE(runtime.block_on(with_deadline(readable(pair.ends[0]), Deadline::after(10s))));
    // It can be waited for again.
    EXPECT_TRUE(runtime.block_on(with_deadline(readable(pair.ends[0]), Deadline::after(10s))));
    EXPECT_TRUE(pair.is_open());
}

TEST(UntilReadable, WaitsWhileThereIsNothingAndLeavesTheDescriptorOpen) {
    Runtime runtime;
    Pair pair;
    EXPECT_FALSE(runtime.block_on(with_deadline(readable(pair.ends[0]), Deadline::after(20ms))));
    EXPECT_TRUE(pair.is_open());
    pair.write();
    EXPECT_TRUE(runtime.block_on(with_deadline(readable(pair.ends[0]), Deadline::after(10s))));
}

}  // namespace
}  // namespace penstock::io
