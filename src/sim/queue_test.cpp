// SPDX-License-Identifier: Apache-2.0
#include "sim/queue.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/time.h"

namespace penstock::sim {
namespace {

constexpr std::string_view kNodes = "sn,cpu_milli,memory_mib,gpu,model\na,64000,262144,8,G1\n";

struct Replay {
    std::string tasks = "came,from,till,who,cpu_milli,memory_mib,devices,urgency\n";
    std::string map = "arrival=came,start=from,end=till,tenant=who,priority=urgency";
    QueueOptions options;

    explicit Replay(const std::vector<std::string>& disciplines) {
        for (const std::string& name : disciplines)
            options.disciplines.push_back(*queue_discipline(name));
    }
    void task(int came, int lasts, const std::string& who, int devices, int urgency = 0) {
        tasks += std::to_string(came) + ",0," + std::to_string(lasts) + "," + who + ",1000,1024," +
                 std::to_string(devices) + "," + std::to_string(urgency) + "\n";
    }
    Result<QueueReport> run() const {
        const SystemClock clock;
        Progress progress(clock, [](const std::string&, std::size_t, std::size_t) {});
        const ClusterTrace cluster = *read_cluster(*Csv::parse(kNodes, "nodes.csv"));
        const QueueTrace trace = TRY(
            read_queue_trace(*Csv::parse(tasks, "tasks.csv"), *parse_queue_columns(map), QueueCut{})
        );
        return simulate_queue(cluster, trace, options, progress);
    }
};

double wait_of(const QueueOutcome& outcome, std::string_view size) {
    return std::ranges::find(outcome.by_size, size, &WaitGroup::name)->mean_s;
}

// A large task comes while small ones come and go: passing lets it wait, a promise does not.
TEST(Queue, ReservationsKeepALargeTaskFromWaitingForEver) {
    Replay replay({"reservations", "passing", "strict"});
    replay.options.estimates_max = 0;
    for (int i = 0; i < 200; ++i) replay.task(i * 10, 75, "a", 1);
    replay.task(100, 60, "b", 8);

    const QueueReport report = *replay.run();

    EXPECT_LT(wait_of(report.outcomes[0], "8 and more"), 300);
    EXPECT_GT(wait_of(report.outcomes[1], "8 and more"), 1500);
    EXPECT_EQ(report.outcomes[0].all.tasks, 201U);
}

TEST(Queue, LesserWorkGivesWayAndGoesOnFromItsCheckpoint) {
    Replay replay({"reservations"});
    replay.options.tenants = {{.tenant = "a", .quota = {}, .preemptible = true}};
    replay.task(0, 3600, "a", 8, 0);
    replay.task(1000, 60, "a", 8, 5);

    const QueueOutcome outcome = replay.run()->outcomes[0];

    EXPECT_EQ(outcome.evictions, 1U);
    EXPECT_DOUBLE_EQ(outcome.by_size[4].p99_s, to_seconds(scheduler::kPreemptionGrace));
    EXPECT_NEAR(outcome.device_hours_lost, 8 * 30.0 / 3600, 1e-9);
}

TEST(Queue, ALimitOfATenantLetsOthersPass) {
    Replay replay({"reservations"});
    ComputeQuota quota;
    quota.limit.devices[std::string(kAnyDevice)] = 2;
    replay.options.tenants = {{.tenant = "a", .quota = quota}};
    replay.task(0, 100, "a", 2);
    replay.task(1, 100, "a", 2);
    replay.task(2, 100, "b", 2);

    const QueueOutcome outcome = replay.run()->outcomes[0];

    EXPECT_DOUBLE_EQ(outcome.by_tenant[0].p99_s, 99);
    EXPECT_DOUBLE_EQ(outcome.by_tenant[1].p99_s, 0);
}

TEST(Queue, TheSameSeedGivesTheSameReport) {
    Replay replay({"reservations"});
    for (int i = 0; i < 30; ++i) replay.task(i * 7, 40 + i % 5 * 13, i % 3 ? "a" : "b", 1 + i % 4);

    const QueueReport first = *replay.run(), second = *replay.run();

    EXPECT_EQ(first.outcomes[0].waits_s, second.outcomes[0].waits_s);
    EXPECT_EQ(first.outcomes[0].calibration.inside, second.outcomes[0].calibration.inside);
    EXPECT_GT(first.outcomes[0].calibration.foretold, 0U);
}

TEST(Queue, SaysWhichColumnIsMissing) {
    Replay replay({"reservations"});
    replay.map = "arrival=came,start=from,end=until";
    replay.task(0, 1, "a", 1);

    const Result<QueueReport> report = replay.run();

    ASSERT_FALSE(report);
    EXPECT_NE(report.error().message.find("until"), std::string::npos) << report.error().message;
    EXPECT_FALSE(parse_queue_columns("arrive=came"));
}

}  // namespace
}  // namespace penstock::sim
