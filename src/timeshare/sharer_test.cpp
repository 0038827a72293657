// SPDX-License-Identifier: Apache-2.0
#include "timeshare/sharer.h"

#include <gtest/gtest.h>

namespace penstock::timeshare {
namespace {

const Problem kTwoJobs{
    .kinds = {{.devices = 1, .price_per_hour = 1}, {.devices = 1, .price_per_hour = 1}},
    .jobs = {{.rate = {1, 1}, .steps_left = 5e6}, {.rate = {4, 1}, .steps_left = 5e6}}
};

TEST(Sharer, EveryPolicyLetsBothJobsRunWhenThereIsRoom) {
    for (const std::string_view name : policy_names()) {
        const auto sharer = make_sharer(name).value();
        const Places places = sharer->next(kTwoJobs, {1, 2}, Places(2)).value();
        EXPECT_TRUE(places[0] && places[1] && *places[0] != *places[1]) << name;
    }
}

TEST(Sharer, PoliciesThatKnowRatesGiveTheFastKindToWhoGains) {
    for (const std::string_view name : {"gavel-las", "least-left", "most-throughput"}) {
        const auto sharer = make_sharer(name).value();
        EXPECT_EQ(sharer->next(kTwoJobs, {1, 2}, Places(2)).value(), (Places{1, 0})) << name;
    }
}

TEST(Sharer, AJobThatLeavesMakesRoom) {
    Problem problem{.kinds = {{.devices = 1}}, .jobs = {{.rate = {1}}, {.rate = {1}}}};
    const auto sharer = make_sharer("gavel-las").value();
    const Places first = sharer->next(problem, {1, 2}, Places(2)).value();
    const JobNumber waiting = first[0] ? 2 : 1;

    problem.jobs.pop_back();

    EXPECT_EQ(sharer->next(problem, {waiting}, Places(1)).value(), (Places{0}));
}

TEST(Sharer, ARefusedProblemIsRefusedAgain) {
    const Problem problem{.kinds = {{.devices = 1}}, .jobs = {{.devices = 2, .rate = {1}}}};
    const auto sharer = make_sharer("gavel-las").value();
    EXPECT_FALSE(sharer->next(problem, {1}, Places(1)));
    EXPECT_FALSE(sharer->next(problem, {1}, Places(1)));
}

TEST(Sharer, AnUnknownNameIsToldTheNamesThereAre) {
    const auto sharer = make_sharer("fifo");
    ASSERT_FALSE(sharer);
    EXPECT_TRUE(sharer.error().message.contains("agnostic-las, gavel-las"))
        << sharer.error().message;
}

}  // namespace
}  // namespace penstock::timeshare
