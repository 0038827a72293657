// SPDX-License-Identifier: Apache-2.0
#include "drivers/cgroup_layout.h"

#include <algorithm>
#include <array>

#include "drivers/files.h"

// mountinfo: ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [FIELD…] - TYPE SOURCE SUPER-OPTIONS
//            ROOT is the directory of the hierarchy that is mounted; blanks are written \040.
// cgroup:    ID:CONTROLLER[,CONTROLLER…]:PATH for v1; 0::PATH for v2.
namespace penstock::drivers {
namespace {

constexpr std::array<std::string_view, 7> kControllers = {"cpu",     "cpuacct", "memory", "pids",
                                                          "freezer", "blkio",   "io"};

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        if (end > 0 || separator != ' ') parts.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            const int code =
                (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
            out += static_cast<char>(code);
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

template <class Names>
bool contains(const Names& names, std::string_view name) {
    return std::ranges::find(names, name) != std::ranges::end(names);
}

struct Mount {
    bool v2 = false;
    std::string root;
    std::string point;
    std::vector<std::string_view> controllers;
};

std::vector<Mount> cgroup_mounts(std::string_view mountinfo) {
    std::vector<Mount> mounts;
    for (const std::string_view line : split(mountinfo, '\n')) {
        const std::size_t dash = line.find(" - ");
        if (dash == std::string_view::npos) continue;
        const auto left = split(line.substr(0, dash), ' ');
        const auto right = split(line.substr(dash + 3), ' ');
        if (left.size() < 6 || right.size() < 3) continue;
        if (right[0] != "cgroup" && right[0] != "cgroup2") continue;
        mounts.push_back(
            {.v2 = right[0] == "cgroup2",
             .root = unescape(left[3]),
             .point = unescape(left[4]),
             .controllers = split(right[2], ',')}
        );
    }
    return mounts;
}

// The path that /proc/self/cgroup gives for a controller ("" for v2).
std::optional<std::string> path_of(std::string_view self_cgroup, std::string_view controller) {
    for (const std::string_view line : split(self_cgroup, '\n')) {
        const std::size_t first = line.find(':');
        const std::size_t second =
            first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        const std::string_view names = line.substr(first + 1, second - first - 1);
        if (controller.empty() ? names.empty() : contains(split(names, ','), controller))
            return std::string(line.substr(second + 1));
    }
    return std::nullopt;
}

// The directory below the mount point for a path of the hierarchy; a container's mount shows only
// what is below its root.
std::string directory_of(const Mount& mount, const std::optional<std::string>& path) {
    if (!path) return "";
    std::string_view rest = *path;
    if (mount.root != "/") {
        if (!rest.starts_with(mount.root)) return "";
        rest.remove_prefix(mount.root.size());
        if (!rest.empty() && !rest.starts_with('/')) return "";
    }
    if (rest.starts_with("/..")) return "";
    while (rest.ends_with('/')) rest.remove_suffix(1);
    return mount.point + std::string(rest);
}

}  // namespace

const CgroupPlace* CgroupLayout::find(std::string_view controller) const {
    const auto found = std::ranges::find(places, controller, &CgroupPlace::controller);
    return found == places.end() ? nullptr : &*found;
}

CgroupLayout parse_cgroup_layout(
    std::string_view mountinfo, std::string_view self_cgroup, std::string_view v2_controllers
) {
    const std::vector<Mount> mounts = cgroup_mounts(mountinfo);
    CgroupLayout layout;
    const auto add = [&](std::string_view controller, const Mount& mount) {
        if (layout.find(controller) != nullptr) return;
        const std::string_view listed = mount.v2 ? std::string_view() : controller;
        layout.places.push_back(
            {.controller = std::string(controller),
             .version = mount.v2 ? CgroupVersion::v2 : CgroupVersion::v1,
             .mount = mount.point,
             .own = directory_of(mount, path_of(self_cgroup, listed))}
        );
    };
    for (const Mount& mount : mounts)
        if (!mount.v2)
            for (const std::string_view controller : kControllers)
                if (contains(mount.controllers, controller)) add(controller, mount);
    if (v2_controllers.ends_with('\n')) v2_controllers.remove_suffix(1);
    for (const Mount& mount : mounts) {
        if (!mount.v2) continue;
        add("", mount);
        for (const std::string_view controller : split(v2_controllers, ' '))
            if (contains(kControllers, controller)) add(controller, mount);
    }
    return layout;
}

std::optional<std::string> find_v2_mount(std::string_view mountinfo) {
    for (const Mount& mount : cgroup_mounts(mountinfo))
        if (mount.v2) return mount.point;
    return std::nullopt;
}

CgroupLayout read_cgroup_layout() {
    const Result<std::string> mountinfo = read_file("/proc/self/mountinfo");
    const Result<std::string> own = read_file("/proc/self/cgroup");
    if (!mountinfo || !own) return {};
    std::string controllers;
    if (const auto mount = find_v2_mount(*mountinfo))
        if (Result<std::string> text = read_file(*mount + "/cgroup.controllers"))
            controllers = *text;
    return parse_cgroup_layout(*mountinfo, *own, controllers);
}

}  // namespace penstock::drivers
