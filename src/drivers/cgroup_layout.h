// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Where the kernel keeps which controller. Three layouts occur: v2 (one hierarchy), v1 (one a
// controller, or several together), hybrid (v1 beside a v2 hierarchy with what is left). Pure.
namespace penstock::drivers {

enum class CgroupVersion { v1, v2 };

struct CgroupPlace {
    std::string
        controller;  // cpu, cpuacct, memory, pids, freezer, blkio (v1), io (v2); "" = v2 itself
    CgroupVersion version = CgroupVersion::v1;
    std::string mount;  // where the hierarchy is mounted
    std::string own;    // directory of this process in it; empty: outside of what is mounted
    bool operator==(const CgroupPlace&) const = default;
};

struct CgroupLayout {
    std::vector<CgroupPlace> places;  // a controller stands here at most once
    const CgroupPlace* find(std::string_view controller) const;
    const CgroupPlace* unified() const { return find(""); }
};

// The text of /proc/self/mountinfo, of /proc/self/cgroup, and of cgroup.controllers at the root of
// the v2 mount (empty when there is none).
CgroupLayout parse_cgroup_layout(
    std::string_view mountinfo, std::string_view self_cgroup, std::string_view v2_controllers
);
// Where the v2 hierarchy is mounted, if it is: to read cgroup.controllers there.
std::optional<std::string> find_v2_mount(std::string_view mountinfo);

// Of this process. Empty when /proc cannot be read.
CgroupLayout read_cgroup_layout();

}  // namespace penstock::drivers
