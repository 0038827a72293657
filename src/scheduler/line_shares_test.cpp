// SPDX-License-Identifier: Apache-2.0
#include "scheduler/line_shares.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace penstock::scheduler {
namespace {

const Tenant kA{OrganisationId(RawId{1, 1}), ProjectId(RawId{2, 1})};
const Tenant kB{OrganisationId(RawId{1, 1}), ProjectId(RawId{2, 2})};
const Tenant kC{OrganisationId(RawId{1, 2}), ProjectId(RawId{2, 3})};

struct Scene {
    LineShares shares;
    std::string given;
    void give(int times, const std::set<Tenant>& asking, Duration time = 1s) {
        for (; times > 0; --times) {
            const Tenant next = shares.next(asking);
            shares.charge(next, time, asking);
            given += next == kA ? 'a' : next == kB ? 'b' : 'c';
        }
    }
    std::int64_t count(char who) const { return std::ranges::count(given, who); }
};

TEST(LineShares, OrganisationsHaveEqualPartsAndTheirProjectsEqualPartsOfThem) {
    Scene s;
    s.give(400, {kA, kB, kC});
    EXPECT_EQ(s.count('a'), 100);
    EXPECT_EQ(s.count('b'), 100);
    EXPECT_EQ(s.count('c'), 200);
}

TEST(LineShares, WeightsAreThoseOfTheQueue) {
    Scene s;
    s.shares.set_weight(OrganisationId(RawId{1, 1}), 3);
    s.shares.set_weight(kA, 4);
    s.give(400, {kA, kB, kC});
    EXPECT_EQ(s.count('a'), 240);
    EXPECT_EQ(s.count('b'), 60);
    EXPECT_EQ(s.count('c'), 100);
}

TEST(LineShares, WhoAsksAnewNeitherCatchesUpNorIsBehind) {
    Scene s;
    s.give(1000, {kA});
    s.given.clear();
    s.give(10, {kA, kC});
    EXPECT_NEAR(static_cast<double>(s.count('c')), 5, 1) << s.given;
    s.given.clear();
    s.give(1000, {kC});
    s.given.clear();
    s.give(10, {kA, kC});
    EXPECT_NEAR(static_cast<double>(s.count('a')), 5, 1) << s.given;
}

TEST(LineShares, LongLinesCountForMore) {
    Scene s;
    for (int i = 0; i < 100; ++i) {
        const Tenant next = s.shares.next({kA, kC});
        s.shares.charge(next, next == kA ? 9s : 1s, {kA, kC});
        s.given += next == kA ? 'a' : 'c';
    }
    EXPECT_EQ(s.count('a'), 10);
}

TEST(LineShares, TellsWhoComesBefore) {
    Scene s;
    s.shares.charge(kA, 5s, {kA, kB, kC});
    EXPECT_EQ(s.shares.ahead_of(kA, {kA, kB, kC}), (std::vector<Tenant>{kB, kC}));
    EXPECT_TRUE(s.shares.ahead_of(kC, {kA, kB, kC}).empty());
}

}  // namespace
}  // namespace penstock::scheduler
