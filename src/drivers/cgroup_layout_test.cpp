// SPDX-License-Identifier: Apache-2.0
#include "drivers/cgroup_layout.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penstock::drivers {
namespace {

// Recorded on a Debian 12 machine with systemd: one v2 hierarchy.
constexpr std::string_view kV2Mounts =
    "24 29 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
    "33 24 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 "
    "rw,nsdelegate,memory_recursiveprot\n";
constexpr std::string_view kV2Own = "0::/system.slice/penstock-agent.service\n";
constexpr std::string_view kV2Controllers = "cpuset cpu io memory hugetlb pids rdma misc\n";

// The form of a CentOS 7 machine: v1, controllers that share a hierarchy, a named one without any.
constexpr std::string_view kV1Mounts =
    "25 18 0:20 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:8 - tmpfs tmpfs ro,mode=755\n"
    "26 25 0:21 / /sys/fs/cgroup/systemd rw,nosuid shared:9 - cgroup cgroup rw,xattr,name=systemd\n"
    "28 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:10 - cgroup cgroup rw,cpuacct,cpu\n"
    "29 25 0:24 / /sys/fs/cgroup/memory rw,nosuid shared:11 - cgroup cgroup rw,memory\n"
    "30 25 0:25 / /sys/fs/cgroup/pids rw,nosuid shared:12 - cgroup cgroup rw,pids\n"
    "31 25 0:26 / /sys/fs/cgroup/freezer rw,nosuid shared:13 - cgroup cgroup rw,freezer\n";
constexpr std::string_view kV1Own =
    "11:pids:/\n9:freezer:/\n4:cpuacct,cpu:/system.slice/agent.service\n"
    "3:memory:/system.slice/agent.service\n1:name=systemd:/system.slice/agent.service\n";

// Recorded on a small virtual machine: each controller apart, and v2 with hugetlb alone.
constexpr std::string_view kHybridMounts =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
constexpr std::string_view kHybridOwn =
    "9:name=systemd:/\n4:memory:/sessions/caa7\n2:cpuacct:/\n1:cpu:/\n0::/\n";

std::string shown(const CgroupLayout& layout) {
    std::string text;
    for (const CgroupPlace& place : layout.places)
        text += fmt::format(
            "{} v{} {}\n", place.controller.empty() ? "-" : place.controller,
            place.version == CgroupVersion::v1 ? 1 : 2, place.own
        );
    return text;
}

TEST(CgroupLayout, ReadsV2) {
    const std::string own = "/sys/fs/cgroup/system.slice/penstock-agent.service\n";

    EXPECT_EQ(
        shown(parse_cgroup_layout(kV2Mounts, kV2Own, kV2Controllers)),
        "- v2 " + own + "cpu v2 " + own + "io v2 " + own + "memory v2 " + own + "pids v2 " + own
    );
    EXPECT_EQ(find_v2_mount(kV2Mounts), "/sys/fs/cgroup");
}

TEST(CgroupLayout, ReadsV1WithSharedHierarchies) {
    EXPECT_EQ(
        shown(parse_cgroup_layout(kV1Mounts, kV1Own, "")),
        "cpu v1 /sys/fs/cgroup/cpu,cpuacct/system.slice/agent.service\n"
        "cpuacct v1 /sys/fs/cgroup/cpu,cpuacct/system.slice/agent.service\n"
        "memory v1 /sys/fs/cgroup/memory/system.slice/agent.service\n"
        "pids v1 /sys/fs/cgroup/pids\n"
        "freezer v1 /sys/fs/cgroup/freezer\n"
    );
    EXPECT_EQ(find_v2_mount(kV1Mounts), std::nullopt);
}

TEST(CgroupLayout, ReadsHybridPerController) {
    EXPECT_EQ(
        shown(parse_cgroup_layout(kHybridMounts, kHybridOwn, "hugetlb\n")),
        "cpu v1 /sys/fs/cgroup/cpu\n"
        "cpuacct v1 /sys/fs/cgroup/cpuacct\n"
        "memory v1 /sys/fs/cgroup/memory/sessions/caa7\n"
        "- v2 /sys/fs/cgroup/unified\n"
    );
}

TEST(CgroupLayout, AHybridMayHaveRealControllersOnTheV2Side) {
    const CgroupLayout layout = parse_cgroup_layout(kHybridMounts, kHybridOwn, "pids memory\n");

    EXPECT_EQ(layout.find("memory")->version, CgroupVersion::v1)
        << "bound to v1, whatever v2 could have";
    EXPECT_EQ(layout.find("pids")->version, CgroupVersion::v2);
}

TEST(CgroupLayout, TakesTheRootOfAContainersMountAway) {
    const std::string_view mounts =
        "900 880 0:24 /docker/9f /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n";

    EXPECT_EQ(
        shown(parse_cgroup_layout(mounts, "3:memory:/docker/9f/inner\n", "")),
        "memory v1 /sys/fs/cgroup/memory/inner\n"
    );
    EXPECT_EQ(shown(parse_cgroup_layout(mounts, "3:memory:/docker/9fff\n", "")), "memory v1 \n");
    EXPECT_EQ(shown(parse_cgroup_layout(mounts, "3:memory:/elsewhere\n", "")), "memory v1 \n");
}

TEST(CgroupLayout, NothingMountedIsNothingFound) {
    EXPECT_TRUE(parse_cgroup_layout("", "0::/\n", "cpu memory").places.empty());
    EXPECT_TRUE(parse_cgroup_layout("gibberish\n - cgroup\n", "x\n:\n", "").places.empty());
}

TEST(CgroupLayout, ReadsBlanksInMountPoints) {
    const std::string_view mounts =
        "900 880 0:24 / /mnt/my\\040groups rw - cgroup cgroup rw,pids\n";

    EXPECT_EQ(parse_cgroup_layout(mounts, "3:pids:/a\n", "").find("pids")->own, "/mnt/my groups/a");
}

}  // namespace
}  // namespace penstock::drivers
