// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "drivers/process_driver_test.h"

namespace penstock::drivers {

std::string test_program() {
    std::array<char, 4096> path{};
    const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
    return {path.data(), static_cast<std::size_t>(length)};
}

ProcessDriverUnderTest::ProcessDriverUnderTest(bool use_cgroups) {
    std::string directory = "/tmp/penstock-drivers-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) std::abort();
    options.state_dir = directory;
    options.supervisor = {test_program(), "internal-supervise"};
    options.use_cgroups = use_cgroups;
    options.cgroup_name = "penstock-test";
}

ProcessDriverUnderTest::~ProcessDriverUnderTest() {
    if (std::unique_ptr<Driver> driver = open())
        for (const Status& left : driver->adopt().value())
            EXPECT_TRUE(driver->clean(left.attempt_id));
    EXPECT_TRUE(remove_tree(options.state_dir));
}

std::unique_ptr<Driver> ProcessDriverUnderTest::open() {
    Result<std::unique_ptr<ProcessDriver>> driver = ProcessDriver::open(options);
    EXPECT_TRUE(driver) << to_string(driver.error());
    return driver ? *std::move(driver) : nullptr;
}

std::vector<std::string> ProcessDriverUnderTest::remains(const std::string& attempt_id) {
    std::vector<std::string> found;
    if (exists(options.state_dir + "/" + attempt_id))
        found.push_back(options.state_dir + "/" + attempt_id);
    const std::string pattern = options.state_dir + "/.removing-" + attempt_id + "*";
    if (::system(("ls -d " + pattern + " > /dev/null 2>&1").c_str()) == 0) found.push_back(pattern);
    const Cgroup group =
        CgroupParents::open(read_cgroup_layout(), options.cgroup_name).group(attempt_id);
    for (const CgroupDirectory& directory : group.directories())
        if (exists(directory.path)) found.push_back(directory.path);
    return found;
}

}  // namespace penstock::drivers

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "internal-supervise")
        return penstock::drivers::supervise(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
