// SPDX-License-Identifier: Apache-2.0
#include "tasks/service_scaler.h"

#include <gtest/gtest.h>

namespace penstock::tasks {
namespace {

const TaskId kTask{RawId{1, 1}};
const RunId kRun{RawId{2, 1}};

ServiceSpec elastic() {
    return {
        .replica_policy =
            ReplicaPolicy{
                .min_replicas = 0,
                .max_replicas = 4,
                .target_qps_per_replica = 2,
                .cold_start = 5s,
                .averaged_over = 5s,
                .shrink_after = 20s,
                .to_zero_after = 60s,
                .drain = 7s
            },
        .protocol = "openai",
        .model = "m"
    };
}

// A service under a scripted gateway that reports every second.
struct Scene {
    ServiceScaler scaler;
    ServiceSpec service = elastic();
    Time now{1'700'000'000s};
    std::int64_t replicas = 0, calls = 0;
    std::string changes;
    LinesAsk lines;

    void run(Duration span, std::int64_t calls_per_second, std::int64_t in_flight) {
        for (const Time end = now + span; now < end; now += 1s) {
            calls += calls_per_second;
            const ReportLoads report{
                .replica = "g",
                .run = kRun,
                .services =
                    {{.task_id = kTask, .calls_arrived = calls, .calls_in_flight = in_flight}}
            };
            EXPECT_TRUE(scaler.loads.report(report, now));
            const auto change = scaler.tick(kTask, service, replicas, now, lines);
            if (!change) continue;
            replicas = change->replicas;
            changes += std::to_string(replicas) + " " + change->reason + ", ";
            EXPECT_EQ(change->drain, 7s);
        }
    }
    void restart() { scaler = ServiceScaler(); }
};

TEST(ServiceScaler, TheFirstCallWakesLoadGrowsAndSilenceEndsIt) {
    Scene s;
    s.run(10s, 0, 0);
    EXPECT_EQ(s.changes, "");
    s.run(3s, 0, 1);
    EXPECT_EQ(s.changes, "1 first_call, ");
    s.run(60s, 6, 3);
    EXPECT_EQ(s.replicas, 4);
    s.run(50s, 0, 0);
    EXPECT_EQ(s.replicas, 1);
    s.run(30s, 0, 0);
    EXPECT_EQ(s.replicas, 0);
    EXPECT_NE(s.changes.find("0 idle"), std::string::npos) << s.changes;
    EXPECT_NE(s.changes.find("calls"), std::string::npos) << s.changes;
}

TEST(ServiceScaler, ARestartNeitherStopsWhatRunsNorStartsARush) {
    Scene s;
    s.run(60s, 2, 1);
    const std::int64_t before = s.replicas;
    ASSERT_GT(before, 0);
    s.restart();
    s.calls += 100'000;  // came while the server was away
    s.changes.clear();
    s.run(15s, 2, 1);
    EXPECT_EQ(s.changes, "");
    EXPECT_EQ(s.replicas, before);
}

TEST(ServiceScaler, ARestartWithoutAnyGatewayKeepsReplicasForTheUsualSpans) {
    Scene s;
    s.replicas = 3;
    for (int i = 0; i < 19; ++i, s.now += 1s)
        EXPECT_FALSE(s.scaler.tick(kTask, s.service, 3, s.now));
}

TEST(ServiceScaler, MapsTheSpecOntoTargets) {
    ServiceSpec service = elastic();
    service.slo = ServiceSlo{.ttft_ms = 500, .tok_s = 25};
    const AutoscaleTargets targets = targets_of(service);
    EXPECT_DOUBLE_EQ(targets.calls_per_second, 2);
    EXPECT_DOUBLE_EQ(targets.calls_in_flight, 0);
    EXPECT_EQ(targets.first_token, 500ms);
    EXPECT_EQ(targets.token_gap, 40ms);
    EXPECT_EQ(targets.replicas_max, 4);
    EXPECT_TRUE(check_targets(targets));
}

TEST(ServiceScaler, WithoutATargetOfItsOwnAServiceFollowsItsCallsInFlight) {
    ServiceSpec service = elastic();
    service.replica_policy->target_qps_per_replica.reset();
    EXPECT_DOUBLE_EQ(targets_of(service).calls_in_flight, 8);
    EXPECT_TRUE(check_targets(targets_of(service)));
}

TEST(ServiceScaler, ForgetsServicesThatHaveEnded) {
    Scene s;
    s.run(3s, 2, 1);
    s.scaler.keep_only({});
    EXPECT_FALSE(s.scaler.tick(kTask, s.service, 1, s.now));
}

TEST(ServiceScaler, LinesNearTheirEndGetReplicasWhereNodesAreIdleAndGiveThemBack) {
    Scene s;
    s.lines = {.replicas = 2, .may_grow = false};
    s.run(5s, 0, 0);
    EXPECT_EQ(s.changes, "") << "no node is idle";

    s.lines.may_grow = true;
    s.run(5s, 0, 0);
    EXPECT_EQ(s.changes, "1 lines, 2 lines, ");
    EXPECT_EQ(s.scaler.lent(kTask), 2);

    s.lines = {};
    s.run(1s, 0, 0);
    EXPECT_EQ(s.changes, "1 lines, 2 lines, 0 lines, ");
}

TEST(ServiceScaler, LinesNeverGetMoreThanThePolicyAllows) {
    Scene s;
    s.lines = {.replicas = 50, .may_grow = true};
    s.run(20s, 0, 0);
    EXPECT_EQ(s.replicas, 4);
}

TEST(ServiceScaler, WhatLinesHadIsThereForCalls) {
    Scene s;
    s.lines = {.replicas = 1, .may_grow = true};
    s.run(3s, 0, 0);
    ASSERT_EQ(s.replicas, 1);
    s.run(3s, 0, 1);
    EXPECT_EQ(s.replicas, 1) << s.changes;
    EXPECT_EQ(s.scaler.lent(kTask), 0) << "its load needs it now";
}

TEST(ServiceScaler, AReplicaThatLostItsPlaceToOtherWorkIsNotAskedForAgainAtOnce) {
    Scene s;
    s.lines = {.replicas = 1, .may_grow = true};
    s.run(3s, 0, 0);
    s.lines = {.replicas = 1, .may_grow = false, .without_place = 1};
    s.run(1s, 0, 0);
    EXPECT_EQ(s.replicas, 0);
    s.lines = {.replicas = 1, .may_grow = true};
    s.run(ServiceScaler::kLentRest - 2s, 0, 0);
    EXPECT_EQ(s.replicas, 0);
    s.run(5s, 0, 0);
    EXPECT_EQ(s.replicas, 1);
}

}  // namespace
}  // namespace penstock::tasks
