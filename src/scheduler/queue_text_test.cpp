// SPDX-License-Identifier: Apache-2.0
#include "scheduler/queue_text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace penstock::scheduler {
namespace {

std::string said_of_the_queue() {
    std::string out;
    const auto add = [&](const Text& text) { out += text.en + "\n  " + text.zh + "\n"; };
    add(quota_text({TenantLevel::organisation, "acme", "key/ops", {"cpus", 8000, 7500, 1000}}));
    add(quota_text({TenantLevel::project, "vision", "key/lead", {"devices.H100", 4000, 4000, 2000}})
    );
    add(quota_text({TenantLevel::project, "vision", "key/lead", {"memory_gib", 65536, 512, 65536}})
    );
    add(promise_text("centre/a", false));
    add(promise_text("centre/a", true));
    add(estimate_text({.p10 = 1s, .p50 = 2s, .p90 = 3s}, 4));
    add(estimate_text({.p50 = 2s}, 0));
    add(estimate_text({.p10 = 1s, .p50 = 2s, .p90 = 3s, .corrected_by = 128}, 4));
    add(estimate_text({.p90 = 60s, .limits_only = true}, 1));
    add(estimate_text({}, 1));
    add(estimate_text({.too_many = true}, 1000));
    add(estimate_text_behind_quota());
    return out;
}

// PENSTOCK_UPDATE_GOLDEN=1 writes the file anew.
TEST(QueueText, IsAsInTheGoldenFile) {
    const std::string now = said_of_the_queue();
    const std::string path = "testdata/queue.txt";
    if (std::getenv("PENSTOCK_UPDATE_GOLDEN")) std::ofstream(path) << now;
    std::ostringstream golden;
    golden << std::ifstream(path).rdbuf();

    EXPECT_EQ(now, golden.str());
}

}  // namespace
}  // namespace penstock::scheduler
