// SPDX-License-Identifier: Apache-2.0
#include "drivers/process_driver_test.h"

namespace penstock::drivers {
namespace {

std::unique_ptr<DriverUnderTest> with_cgroups() {
    return std::make_unique<ProcessDriverUnderTest>(true);
}
std::unique_ptr<DriverUnderTest> with_rlimits() {
    return std::make_unique<ProcessDriverUnderTest>(false);
}

INSTANTIATE_TEST_SUITE_P(Process, DriverConformance, testing::Values(&with_cgroups));
INSTANTIATE_TEST_SUITE_P(ProcessWithoutCgroups, DriverConformance, testing::Values(&with_rlimits));

}  // namespace
}  // namespace penstock::drivers
