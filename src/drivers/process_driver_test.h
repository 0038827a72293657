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
    std::vector<std::string> remains(const std::string& attempt_id) override;

    ProcessDriverOptions options;
};

// The program that runs the tests, which is also their supervisor.
std::string test_program();

}  // namespace penstock::drivers
