// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string_view>
#include <thread>

#include "drivers/process_driver_test.h"

namespace penstock::drivers {

std::string test_program() {
    std::array<char, 4096> path{};
    const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
    return {path.data(), static_cast<std::size_t>(length)};
}

ProcessDriverUnderTest::ProcessDriverUnderTest(bool use_cgroups) {
    // In memory, where syncing costs nothing and other work on the disk does not slow the tests.
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    std::string directory =
        std::string(in_memory ? "/dev/shm" : "/tmp") + "/penstock-drivers-XXXXXX";
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

std::unique_ptr<Driver> ProcessDriverUnderTest::open() { return open_process_driver(); }

std::unique_ptr<ProcessDriver> ProcessDriverUnderTest::open_process_driver() {
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

bool eventually(const std::function<bool()>& condition) {
    const SystemClock clock;
    const Duration until = clock.monotonic() + kTestTimeMax;
    while (clock.monotonic() < until) {
        if (condition()) return true;
        std::this_thread::sleep_for(5ms);
    }
    return false;
}

void ProcessDriverTest::SetUp() {
    driver_ = under_test_.open_process_driver();
    ASSERT_NE(driver_, nullptr);
}

void ProcessDriverTest::TearDown() {
    if (driver_ == nullptr) return;
    for (const Status& left : driver_->adopt().value()) {
        EXPECT_TRUE(driver_->clean(left.attempt_id));
        EXPECT_EQ(under_test_.remains(left.attempt_id), std::vector<std::string>());
    }
}

LaunchSpec ProcessDriverTest::spec(const std::string& script) {
    static std::atomic<int> number = 0;
    return {.attempt_id = fmt::format("at_own-{}-{}", ::getpid(), number++), .script = script};
}

Status ProcessDriverTest::run(const LaunchSpec& spec) {
    Result<Status> status = driver_->start(spec);
    if (status) status = driver_->wait(spec.attempt_id, kTestTimeMax);
    EXPECT_TRUE(status) << to_string(status.error());
    return status.value_or(Status{});
}

Status ProcessDriverTest::started(const LaunchSpec& spec) {
    EXPECT_TRUE(driver_->start(spec));
    EXPECT_TRUE(eventually([&] {
        return driver_->status(spec.attempt_id)->state != RunState::starting;
    }));
    return driver_->status(spec.attempt_id).value_or(Status{});
}

std::string ProcessDriverTest::log(const LaunchSpec& spec) {
    std::string text;
    if (const auto chunk = driver_->read_log(spec.attempt_id, 0, 1 << 20))
        for (const LogLine& line : chunk->lines) text += line.text + (line.partial ? "" : "\n");
    return text;
}

std::string ProcessDriverTest::output(const LaunchSpec& spec) {
    run(spec);
    return log(spec);
}

}  // namespace penstock::drivers

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "internal-supervise")
        return penstock::drivers::supervise(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
