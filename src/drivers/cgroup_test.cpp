// SPDX-License-Identifier: Apache-2.0
#include "drivers/cgroup.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "drivers/files.h"

namespace penstock::drivers {
namespace {

// Directories that look like the kernel's, so that both versions are seen on any machine. That the
// real ones obey is shown by the driver's conformance tests.
class CgroupFiles : public testing::Test {
  protected:
    void SetUp() override { ASSERT_NE(::mkdtemp(root_.data()), nullptr); }
    void TearDown() override { EXPECT_TRUE(remove_tree(root_)); }
    void put(const std::string& name, const std::string& text) {
        const std::string path = root_ + "/" + name;
        ASSERT_TRUE(make_directory(path.substr(0, path.rfind('/')), 0755));
        ASSERT_TRUE(write_file(path, text, 0644));
    }
    std::string get(const std::string& name) {
        return read_file(root_ + "/" + name).value_or("absent");
    }
    Cgroup v1() {
        std::vector<CgroupDirectory> directories;
        for (const char* name : {"cpu", "cpuacct", "memory", "pids", "blkio"})
            directories.push_back({.controller = name, .v2 = false, .path = root_ + "/" + name});
        return Cgroup(directories);
    }
    Cgroup v2() {
        std::vector<CgroupDirectory> directories;
        for (const char* name : {"", "cpu", "memory", "pids", "io"})
            directories.push_back({.controller = name, .v2 = true, .path = root_ + "/g"});
        return Cgroup(directories);
    }
    std::string root_ = "/tmp/penstock-cgroup-XXXXXX";
};

constexpr Limits kLimits = {.cpu_milli = 1500, .memory_bytes = 1 << 30, .pids = 42};

TEST_F(CgroupFiles, SetsLimitsOnV1) {
    for (const char* name :
         {"cpu/cpu.cfs_period_us", "cpu/cpu.cfs_quota_us", "memory/memory.limit_in_bytes",
          "memory/memory.memsw.limit_in_bytes", "pids/pids.max"})
        put(name, "");

    ASSERT_TRUE(v1().limit(kLimits));

    EXPECT_EQ(get("cpu/cpu.cfs_quota_us") + " " + get("cpu/cpu.cfs_period_us"), "150000 100000");
    EXPECT_EQ(get("memory/memory.limit_in_bytes"), "1073741824");
    EXPECT_EQ(get("memory/memory.memsw.limit_in_bytes"), "1073741824");
    EXPECT_EQ(get("pids/pids.max"), "42");
}

TEST_F(CgroupFiles, SetsLimitsOnV2) {
    for (const char* name : {"g/cpu.max", "g/memory.max", "g/memory.swap.max", "g/pids.max"})
        put(name, "");

    ASSERT_TRUE(v2().limit(kLimits));

    EXPECT_EQ(get("g/cpu.max"), "150000 100000");
    EXPECT_EQ(get("g/memory.max") + " " + get("g/memory.swap.max"), "1073741824 0");
    EXPECT_EQ(get("g/pids.max"), "42");
}

TEST_F(CgroupFiles, ALimitThatCannotBeWrittenIsAnError) {
    EXPECT_FALSE(v2().limit(kLimits));
    EXPECT_TRUE(v2().limit({}));
}

TEST_F(CgroupFiles, ReadsCountersOfV1) {
    put("cpuacct/cpuacct.usage", "2500000000\n");
    put("cpu/cpu.stat", "nr_periods 30\nnr_throttled 25\nthrottled_time 1200000000\n");
    put("memory/memory.max_usage_in_bytes", "70000000\n");
    put("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    put("blkio/blkio.throttle.io_service_bytes",
        "8:0 Read 4096\n8:0 Write 100\n8:0 Total 4196\n8:16 Read 4\n8:16 Write 1\nTotal 4201\n");

    const CgroupCounters counters = v1().read();

    EXPECT_EQ(counters.cpu_time, 2500ms);
    EXPECT_EQ(counters.throttled_time, 1200ms);
    EXPECT_EQ(counters.memory_peak_bytes, 70000000);
    EXPECT_EQ(counters.oom_kills, 2);
    EXPECT_EQ(counters.io_read_bytes, 4100);
    EXPECT_EQ(counters.io_written_bytes, 101);
}

TEST_F(CgroupFiles, ReadsCountersOfV2) {
    put("g/cpu.stat", "usage_usec 2500000\nuser_usec 1\nnr_throttled 25\nthrottled_usec 1200000\n");
    put("g/memory.current", "1000\n");
    put("g/memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n");
    put("g/io.stat",
        "8:0 rbytes=4096 wbytes=100 rios=1 wios=1\n8:16 rbytes=4 wbytes=1 rios=1 wios=1\n");

    const CgroupCounters counters = v2().read();

    EXPECT_EQ(counters.cpu_time, 2500ms);
    EXPECT_EQ(counters.throttled_time, 1200ms);
    EXPECT_EQ(counters.memory_bytes, 1000);
    EXPECT_EQ(counters.memory_peak_bytes, std::nullopt) << "older kernels have no memory.peak";
    EXPECT_EQ(counters.oom_kills, 1);
    EXPECT_EQ(counters.io_read_bytes, 4100);
    EXPECT_EQ(counters.io_written_bytes, 101);
}

TEST_F(CgroupFiles, WhatIsNotCountedIsAbsentAndNotZero) {
    EXPECT_EQ(v1().read(), CgroupCounters{});
    EXPECT_EQ(Cgroup().read(), CgroupCounters{});
}

TEST_F(CgroupFiles, OnV2EachGroupAboveHandsTheControllersDown) {
    put("cgroup.subtree_control", "");
    put("penstock/cgroup.subtree_control", "");
    CgroupLayout layout;
    for (const char* name : {"", "cpu"})
        layout.places.push_back(
            {.controller = name, .version = CgroupVersion::v2, .mount = root_, .own = root_}
        );

    const CgroupParents parents = CgroupParents::open(layout, "penstock");

    EXPECT_EQ(get("cgroup.subtree_control"), "+cpu");
    EXPECT_EQ(get("penstock/cgroup.subtree_control"), "+cpu");
    EXPECT_EQ(
        parents.group("at_1").join_files(),
        std::vector<std::string>{root_ + "/penstock/at_1/cgroup.procs"}
    );
    EXPECT_TRUE(parents.enforces().empty()) << "a file that is not there takes no limit";
}

TEST_F(CgroupFiles, OwnLimitsAreTheSmallestOfAllGroupsAbove) {
    put("a/cpu.max", "max 100000\n");
    put("a/memory.max", "2147483648\n");
    put("a/b/cpu.max", "150000 100000\n");
    put("a/b/memory.max", "4294967296\n");
    CgroupLayout layout;
    for (const char* name : {"cpu", "memory"})
        layout.places.push_back(
            {.controller = name, .version = CgroupVersion::v2, .mount = root_, .own = root_ + "/a/b"
            }
        );

    EXPECT_EQ(read_own_limits(layout), (Limits{.cpu_milli = 1500, .memory_bytes = 2147483648}));
    EXPECT_EQ(read_own_limits({}), Limits{});
}

TEST_F(CgroupFiles, OwnLimitsOfV1KnowItsWordsForUnlimited) {
    put("cpu/cpu.cfs_quota_us", "-1\n");
    put("cpu/cpu.cfs_period_us", "100000\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    CgroupLayout layout;
    for (const std::string name : {"cpu", "memory"})
        layout.places.push_back(
            {.controller = name, .mount = root_ + "/" + name, .own = root_ + "/" + name}
        );

    EXPECT_EQ(read_own_limits(layout), Limits{});
    put("cpu/cpu.cfs_quota_us", "50000\n");
    EXPECT_EQ(read_own_limits(layout).cpu_milli, 500);
}

TEST_F(CgroupFiles, WithoutRightsThereAreNoGroups) {
    CgroupLayout layout;
    layout.places.push_back({.controller = "cpu", .mount = "/proc/self", .own = ""});

    const CgroupParents parents = CgroupParents::open(layout, "penstock");

    EXPECT_TRUE(parents.group("at_1").empty());
    EXPECT_TRUE(parents.enforces().empty());
}

}  // namespace
}  // namespace penstock::drivers
