// SPDX-License-Identifier: Apache-2.0
#include "dispatch/workload_drift.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace penstock::dispatch {
namespace {

constexpr std::size_t kRequests = 1024;

// Of `kinds` kinds from `first` on, the first ones more often.
ResourceRequest drawn(Random& random, std::int64_t first, std::uint64_t kinds) {
    const auto most = random.below(kinds) + 1;
    return {.cpu_milli = first + static_cast<std::int64_t>(random.below(most))};
}
std::deque<ResourceRequest> list(Random& random, std::int64_t first, std::uint64_t kinds) {
    std::deque<ResourceRequest> requests;
    while (requests.size() < kRequests) requests.push_back(drawn(random, first, kinds));
    return requests;
}
std::vector<ResourceRequest> vector_of(const std::deque<ResourceRequest>& requests) {
    return {requests.begin(), requests.end()};
}

TEST(WorkloadDrift, IsNotSeenInTwoListsOfOneMix) {
    SeededRandom random(7);
    for (const std::uint64_t kinds : {1U, 10U, 150U, 2000U})
        for (int i = 0; i < 20; ++i)
            EXPECT_FALSE(drifted(vector_of(list(random, 0, kinds)), list(random, 0, kinds)))
                << kinds;
}

TEST(WorkloadDrift, IsSeenWhereAFifthIsOfAnotherKind) {
    SeededRandom random(7);
    for (const std::uint64_t kinds : {1U, 10U, 150U}) {
        std::deque<ResourceRequest> now = list(random, 0, kinds);
        for (std::size_t i = 0; i < kRequests / 5; ++i) now[i] = {.cpu_milli = 1'000'000};
        EXPECT_TRUE(drifted(vector_of(list(random, 0, kinds)), now)) << kinds;
    }
}

TEST(WorkloadDrift, IsSeenWhereAModelTakesTheShareOfAnother) {
    std::vector<ResourceRequest> before(kRequests, {.accelerator = Accelerator{"A", 1000}});
    std::deque<ResourceRequest> now(before.begin(), before.end());
    EXPECT_FALSE(drifted(before, now));
    for (std::size_t i = 0; i < kRequests / 5; ++i) now[i].accelerator = Accelerator{"B", 1000};
    EXPECT_TRUE(drifted(before, now));
}

TEST(WorkloadDrift, DoesNotCountMemory) {
    const std::vector<ResourceRequest> before(kRequests, {.cpu_milli = 1, .memory_mib = 1});
    EXPECT_FALSE(
        drifted(before, std::deque<ResourceRequest>(kRequests, {.cpu_milli = 1, .memory_mib = 9}))
    );
}

}  // namespace
}  // namespace penstock::dispatch
