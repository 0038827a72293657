// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "drivers/driver_conformance.h"
#include "drivers/process_driver.h"

namespace penstock::drivers {

// A process driver with a state directory and cgroups of its own.
class ProcessDriverUnderTest final : public DriverUnderTest {
  public:
    explicit ProcessDriverUnderTest(bool use_cgroups);
    ~ProcessDriverUnderTest() override;
    std::unique_ptr<Driver> open() override;
    std::unique_ptr<ProcessDriver> open_process_driver();
    std::vector<std::string> remains(const std::string& attempt_id) override;

    ProcessDriverOptions options;
};

// For tests of what is special about the process driver.
class ProcessDriverTest : public testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;
    LaunchSpec spec(const std::string& script);
    Status run(const LaunchSpec& spec);
    Status started(const LaunchSpec& spec);
    // The text of both streams.
    std::string log(const LaunchSpec& spec);
    std::string output(const LaunchSpec& spec);  // of a run from start to end

    ProcessDriverUnderTest under_test_{true};
    std::unique_ptr<ProcessDriver> driver_;
};

// The program that runs the tests, which is also their supervisor.
std::string test_program();
// Until `condition` holds; false after kTestTimeMax.
bool eventually(const std::function<bool()>& condition);

}  // namespace penstock::drivers
