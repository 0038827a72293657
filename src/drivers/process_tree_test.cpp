// SPDX-License-Identifier: Apache-2.0
#include "drivers/process_tree.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace penstock::drivers {
namespace {

TEST(ProcessStat, ReadsFieldsAfterANameWithParenthesesAndBlanks) {
    const auto stat = parse_process_stat(
        "4711 (a) b (c) S 12 4711 4711 0 -1 4194304 100 0 0 0 7 3 2 1 20 0 1 0 123456 1 2 3"
    );

    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->state, 'S');
    EXPECT_EQ(stat->parent, 12);
    EXPECT_EQ(stat->cpu_ticks, 13);
    EXPECT_EQ(stat->start_ticks, 123456);
}

TEST(ProcessStat, ShortTextIsNone) {
    EXPECT_FALSE(parse_process_stat("4711 (bash) S 12"));
    EXPECT_FALSE(parse_process_stat(""));
}

TEST(NamespacePids, ReadsAllLevels) {
    EXPECT_EQ(
        parse_namespace_pids("Name:\tx\nNSpid:\t812\t17\t3\nNSpgid:\t1\n"),
        (std::vector<pid_t>{812, 17, 3})
    );
    EXPECT_TRUE(parse_namespace_pids("Name:\tx\n").empty());
}

TEST(Process, IsFoundThroughItsParentUntilItEnds) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    const ProcessIdentity identity = identify(child).value();
    const FileDescriptor descriptor = open_process(identity);

    EXPECT_TRUE(is_alive(identity));
    EXPECT_EQ(descendants(::getpid()), std::vector<pid_t>{child});
    EXPECT_TRUE(descriptor.is_open());
    send_signal({.pid = child, .start_ticks = identity.start_ticks - 1}, SIGKILL);
    EXPECT_TRUE(is_alive(identity)) << "another process that had the number is meant";

    send_signal(identity, SIGKILL);
    pollfd file{descriptor.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&file, 1, 10'000), 1);
    EXPECT_FALSE(is_alive(identity)) << "a zombie is not alive";
    EXPECT_FALSE(open_process(identity).is_open());
    ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(descendants(::getpid()).empty());
}

}  // namespace
}  // namespace penstock::drivers
