// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "drivers/driver.h"

// One list of behaviours for every driver. A driver's test links driver_conformance.cpp, derives
// from DriverUnderTest, and instantiates the suite:
//     INSTANTIATE_TEST_SUITE_P(Process, DriverConformance, testing::Values(&make_process_driver));
namespace penstock::drivers {

// An engine with state of its own that ends with this object.
class DriverUnderTest {
  public:
    virtual ~DriverUnderTest() = default;
    // Another driver over the same state, as after a restart of the agent.
    virtual std::unique_ptr<Driver> open() = 0;
    // What of the attempt is left on the engine, in words; empty after clean().
    virtual std::vector<std::string> remains(const std::string& attempt_id) = 0;
};
using MakeDriverUnderTest = std::unique_ptr<DriverUnderTest> (*)();

constexpr Duration kTestTimeMax = 30s;  // of one run in a test

// "exited exited code=7 signal=none oom=false"
std::string shown(const Status& status);

class DriverConformance : public testing::TestWithParam<MakeDriverUnderTest> {
  protected:
    void SetUp() override;
    void TearDown() override;
    // A spec with an attempt id of its own; it is cleaned at the end of the test.
    LaunchSpec spec(const std::string& script);
    Status run(const LaunchSpec& spec);       // start, and wait for the end
    Status started(const LaunchSpec& spec);   // start, and wait until `script` runs
    std::string log(const LaunchSpec& spec);  // "stdout: text\n" a line, partial entries joined
    std::string work_file(const LaunchSpec& spec, const std::string& name);
    // Until the log holds the text; false after kTestTimeMax.
    bool wait_for_log(const LaunchSpec& spec, const std::string& text);
    bool enforces(const std::string& what);

    std::unique_ptr<DriverUnderTest> under_test_;
    std::unique_ptr<Driver> driver_;
    std::vector<std::string> attempts_;
};

}  // namespace penstock::drivers
