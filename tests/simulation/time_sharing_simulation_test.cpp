// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "dispatch/replay.h"
#include "life.h"
#include "model/time_shared.h"
#include "server/services.h"
#include "tasks/state.h"

// Time-shared tasks on the real platform: virtual time, two scripted nodes with two devices each, a
// server that dies. Tasks count steps and go on from their checkpoints.
namespace penstock::simulation {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");
constexpr Duration kStep = 10s;
constexpr Duration kRound = 360s;

struct Trained {
    std::map<std::string, double> rate;  // by model
    double steps = 0;                    // to be done
    double done = 0;
    double saved = 0;
};

class World {
  public:
    explicit World(std::string policy) : random_(7), ids_(random_), clock_(kStart) {
        sharing_.policy = std::move(policy);
        boot();
        found();
    }

    TaskId share(
        const std::string& name, std::map<std::string, double> rate, double rounds,
        bool stated = true
    ) {
        TaskSpec spec{.name = name, .run = "true"};
        spec.resources.accelerators = Accelerators{};
        double best = 0;
        for (const auto& [model, value] : rate) {
            spec.resources.accelerators->choices.push_back({.model = model});
            best = std::max(best, value);
        }
        spec.checkpoint = CheckpointSpec{};
        spec.schedule = ScheduleSpec{};
        spec.schedule->time_shared = TimeSharedSpec{};
        if (stated) spec.schedule->time_shared->rates = rate;
        const TaskId id = create(spec);
        trained_[id] = {.rate = rate, .steps = rounds * to_seconds(kRound) * best};
        return id;
    }
    TaskId queue(const std::string& model, Duration span) {
        TaskSpec spec{.name = "ordinary", .run = "true"};
        spec.resources.accelerators = Accelerators{.choices = {{.model = model}}};
        const TaskId id = create(spec);
        trained_[id] = {.rate = {{model, 1}}, .steps = to_seconds(span)};
        return id;
    }

    void run(Duration span) {
        for (const Time end = clock_.now() + span; clock_.now() < end; clock_.advance(kStep)) {
            for (const NodeId node : nodes_)
                EXPECT_TRUE(
                    platform().fleet.heartbeat(node, {.load = {.at = clock_.now()}}, clock_.now())
                );
            life_->dispatcher.step();
            EXPECT_TRUE(life_->settle());
            work();
            check();
        }
    }
    // The process dies, and another one begins.
    void crash() {
        life_->store.pull_plug();
        life_.reset();
        boot();
        hello();
    }

    void limit_devices(std::int64_t devices) {
        ComputeQuota quota;
        quota.limit.devices["any"] = devices;
        SetQuota set;
        static_cast<ComputeQuota&>(set) = quota;
        Organisation home = *platform().directory.find_organisation(organisation_);
        home.quota = set;
        platform().directory.restore(home);
    }

    server::Platform& platform() { return life_->platform; }
    server::Dispatcher& dispatcher() { return life_->dispatcher; }
    const Task& task(TaskId id) { return *platform().board.find(id); }
    bool ended(TaskId id) { return task(id).state == TaskState::succeeded; }
    // Where it runs: the model, or "-".
    std::string at(TaskId id) {
        for (const Attempt* attempt : platform().board.attempts_of(id))
            if (tasks::is_active(attempt->state)) return attempt->request.accelerator->model;
        return "-";
    }
    double ran_for(TaskId id) {
        double seconds = 0;
        for (const Attempt* attempt : platform().board.attempts_of(id))
            if (attempt->running_at)
                seconds +=
                    to_seconds(attempt->ended_at.value_or(clock_.now()) - *attempt->running_at);
        return seconds;
    }
    std::size_t ends_by(TaskId id, TaskReason reason) {
        std::size_t count = 0;
        for (const Attempt* attempt : platform().board.attempts_of(id))
            count += attempt->reason == reason ? 1U : 0U;
        return count;
    }
    void expect_decisions_to_be_made_again() {
        std::size_t placed = 0;
        for (const Decision& decision : platform().decisions.decisions()) {
            const Result<DecisionRecord> record = platform().decisions.record(decision.id);
            ASSERT_TRUE(record) << to_string(record.error());
            const dispatch::Replay again = dispatch::replay(*record);
            EXPECT_TRUE(again.identical) << again.difference;
            if (decision.outcome != DecisionOutcome::place) continue;
            ++placed;
            EXPECT_EQ(record->question.spec.resources.accelerators->choices.size(), 1U)
                << "the alternatives are narrowed in the question itself";
        }
        EXPECT_GT(placed, 0U);
    }

  private:
    void boot() { life_ = std::make_unique<Life>(disk_, clock_, random_, sharing_); }
    static AgentHello node_with(const std::string& name, const std::string& model) {
        AgentHello hello{
            .node = name,
            .total = {.cpu_milli = 16'000, .memory_mib = 64'000},
            .devices = {},
            .enforces = {"cpu", "memory"},
            .simulated = true
        };
        for (std::int64_t i = 0; i < 2; ++i)
            hello.devices.push_back(
                {.index = i, .model = model, .health = Health::ok, .simulated = true}
            );
        hello.total.accelerator_milli[model] = 2000;
        return hello;
    }
    void hello() {
        server::Change change;
        nodes_.clear();
        for (const AgentHello& each : {node_with("fast", "H100"), node_with("slow", "A10")}) {
            const Result<Node> node =
                platform().fleet.hello(site_, each, ids_.next<NodeId>(clock_.now()), clock_.now());
            ASSERT_TRUE(node);
            nodes_.push_back(node->id);
            platform().put(change, *node);
        }
        platform().commit(std::move(change));
        EXPECT_TRUE(life_->settle());
    }
    void found() {
        server::Platform& p = platform();
        server::Change change;
        const Organisation home = *p.directory.add_organisation(
            {.id = ids_.next<OrganisationId>(kStart),
             .name = "home",
             .code = "00001",
             .roles = {Role::consumer, Role::provider},
             .created_at = kStart}
        );
        organisation_ = home.id;
        const Project project = *p.directory.add_project(
            {.id = ids_.next<ProjectId>(kStart),
             .organisation_id = home.id,
             .name = "default",
             .created_at = kStart}
        );
        project_ = project.id;
        p.put(change, home);
        p.put(change, project);
        EXPECT_TRUE(life_->billing.open_accounts(change, home));
        EXPECT_TRUE(life_->billing.top_up(
            change, home.id, *parse_money("100000.00"), "grant", ledger::TransferCode::grant
        ));
        SiteSpec spec{.name = "centre", .region = "cn-hubei", .division_code = "420100"};
        spec.prices.core_second = *parse_price("0.0003");
        spec.prices.card_second = {{"H100", *parse_price("0.004")}, {"A10", *parse_price("0.001")}};
        Site site{
            .id = ids_.next<SiteId>(kStart),
            .provider_id = home.id,
            .provider = "home",
            .spec = spec,
            .created_at = kStart,
            .updated_at = kStart
        };
        site_ = site.id;
        site.c_url = *server::issue_resource_code(p, change, spec, home);
        p.put(change, *p.fleet.add_site(site));
        p.commit(std::move(change));
        hello();
    }
    TaskId create(const TaskSpec& spec) {
        Task task;
        task.id = ids_.next<TaskId>(clock_.now());
        task.organisation_id = organisation_;
        task.project_id = project_;
        task.name = spec.name;
        task.spec = spec;
        task.created_at = clock_.now();
        server::Change change;
        EXPECT_TRUE(platform().board.create(task, change.tasks));
        platform().commit(std::move(change));
        EXPECT_TRUE(life_->settle());
        return task.id;
    }
    // Agents take every attempt one step further.
    void work() {
        for (const Attempt* attempt : platform().board.active_attempts()) {
            server::Change change;
            EXPECT_TRUE(platform().board.report(next_report(*attempt), clock_.now(), change.tasks));
            platform().commit(std::move(change));
        }
        EXPECT_TRUE(life_->settle());
    }
    AttemptReport next_report(const Attempt& attempt) {
        AttemptReport report{.attempt_id = attempt.id, .fence = attempt.fence, .at = clock_.now()};
        const std::int64_t ran = attempt.running_at ? to_ms(clock_.now() - *attempt.running_at) : 0;
        report.meter = Metered{.running_ms = ran};
        Trained& trained = trained_.at(attempt.task_id);
        if (attempt.notice && attempt.checkpoint && attempt.checkpoint->at >= attempt.notice->at) {
            report.state = TaskState::canceled;
            report.reason = attempt.notice->reason.value_or(TaskReason::preempted);
        } else if (attempt.notice) {
            report.state = attempt.state;
            trained.saved = trained.done;
            report.checkpoint =
                Checkpoint{.sha256 = "c", .bytes = 1, .at = clock_.now(), .running_ms = ran};
        } else if (attempt.state == TaskState::reserved) {
            report.state = TaskState::staging;
        } else if (attempt.state == TaskState::staging) {
            trained.done = trained.saved;
            report.state = TaskState::running;
        } else {
            trained.done += trained.rate.at(attempt.request.accelerator->model) * to_seconds(kStep);
            report.state =
                trained.done >= trained.steps ? TaskState::succeeded : TaskState::running;
        }
        return report;
    }
    // No device has two attempts, every attempt that ended is paid once, and the books balance.
    void check() {
        std::set<std::pair<NodeId, std::int64_t>> devices;
        for (const Attempt* attempt : platform().board.active_attempts())
            for (const std::int64_t device : attempt->devices.value_or(std::vector<std::int64_t>()))
                ASSERT_TRUE(devices.insert({attempt->placement.node_id, device}).second);
        ASSERT_TRUE(life_->billing.settlement().balanced);
        Money charged;
        std::set<std::string> resources;
        for (const auto& [id, row] : disk_.usage()) {
            const BillLine line = *json::parse<BillLine>(row.body);
            charged = *add(charged, line.charged);
            ASSERT_TRUE(resources.insert(line.resource).second) << line.resource << " billed twice";
        }
        ASSERT_EQ(charged, life_->billing.wallet(organisation_).spent);
    }

    SeededRandom random_;
    IdSource ids_;
    ManualClock clock_;
    server::TimeSharingOptions sharing_{.round = kRound};
    Disk disk_;
    std::unique_ptr<Life> life_;
    OrganisationId organisation_;
    ProjectId project_;
    SiteId site_;
    std::vector<NodeId> nodes_;
    std::map<TaskId, Trained> trained_;
};

TEST(TimeSharing, FastDevicesGoToWhoGainsFromThemAndNobodyIsMovedForNothing) {
    World world("most-throughput");
    const TaskId flat_a = world.share("flat-a", {{"H100", 3}, {"A10", 3}}, 5);
    const TaskId flat_b = world.share("flat-b", {{"H100", 3}, {"A10", 3}}, 5);
    const TaskId gains_a = world.share("gains-a", {{"H100", 10}, {"A10", 1}}, 5);
    const TaskId gains_b = world.share("gains-b", {{"H100", 10}, {"A10", 1}}, 5);

    world.run(kRound * 3);

    EXPECT_EQ(world.at(gains_a) + " " + world.at(gains_b), "H100 H100");
    EXPECT_EQ(world.at(flat_a) + " " + world.at(flat_b), "A10 A10");
    world.run(kRound * 4);
    for (const TaskId id : {flat_a, flat_b, gains_a, gains_b}) {
        EXPECT_TRUE(world.ended(id)) << world.task(id).name;
        EXPECT_LE(world.ends_by(id, TaskReason::time_shared), 1U) << world.task(id).name;
    }
}

TEST(TimeSharing, MoreTasksThanDevicesTakeTurnsOfEqualTime) {
    World world("gavel-las");
    std::vector<TaskId> all;
    for (const char* name : {"a", "b", "c", "d"})
        all.push_back(world.share(name, {{"H100", 5}}, 6));

    world.run(kRound * 8);

    // Two devices for four: half of the time each, but for what stopping and starting takes.
    for (const TaskId id : all) {
        EXPECT_GT(world.ran_for(id), to_seconds(kRound) * 2.5) << world.task(id).name;
        EXPECT_LT(world.ran_for(id), to_seconds(kRound) * 4.5) << world.task(id).name;
    }
    world.run(kRound * 10);
    for (const TaskId id : all) {
        const TaskItem& item = world.platform().board.items(id)->front();
        EXPECT_TRUE(world.ended(id)) << world.task(id).name;
        EXPECT_EQ(item.failures + item.recoveries, 0);
        EXPECT_GT(world.ends_by(id, TaskReason::time_shared), 0U);
    }
    world.expect_decisions_to_be_made_again();
}

TEST(TimeSharing, AWaitingTaskIsToldWhatItReceivedAndWhenTheNextRoundBegins) {
    World world("most-throughput");
    for (const char* name : {"a", "b"}) world.share(name, {{"H100", 5}}, 50);
    world.run(60s);
    const TaskId late = world.share("late", {{"H100", 5}}, 5);
    world.run(20s);

    EXPECT_EQ(world.task(late).reason, TaskReason::waiting_for_round);
    EXPECT_EQ(
        world.task(late).message,
        "waits for its turn on time-shared devices: most-throughput gave this round to others; it "
        "has run for no time so far; the next round begins at 2026-11-24T00:06:00Z"
    );
    const Explanation explanation = world.dispatcher().explain(world.task(late));
    EXPECT_EQ(explanation.blocker, "round");
    ASSERT_TRUE(explanation.time_sharing);
    EXPECT_EQ(explanation.time_sharing->policy, "most-throughput");
    EXPECT_EQ(explanation.time_sharing->rates_from, "stated");
    EXPECT_FALSE(explanation.position) << "it has no place in the queue";
}

TEST(TimeSharing, WorkInTheQueueGoesFirstAndTheTaskComesBack) {
    World world("most-throughput");
    const TaskId a = world.share("a", {{"H100", 5}}, 6);
    const TaskId b = world.share("b", {{"H100", 5}}, 6);
    world.run(kRound);
    const TaskId ordinary = world.queue("H100", 200s);

    world.run(120s);

    EXPECT_EQ(world.at(ordinary), "H100");
    EXPECT_EQ(
        world.ends_by(a, TaskReason::preempted) + world.ends_by(b, TaskReason::preempted), 1U
    );
    world.run(kRound * 8);
    EXPECT_TRUE(world.ended(ordinary));
    EXPECT_TRUE(world.ended(a) && world.ended(b));
}

TEST(TimeSharing, RoundsGoOnAfterTheServerDied) {
    World world("gavel-las");
    std::vector<TaskId> all;
    for (const char* name : {"a", "b", "c"}) all.push_back(world.share(name, {{"A10", 2}}, 4));

    for (int i = 0; i < 30; ++i) {
        world.run(i % 2 == 0 ? kRound / 2 : kRound / 3);
        world.crash();
    }

    for (const TaskId id : all) {
        EXPECT_TRUE(world.ended(id)) << world.task(id).name << " " << world.task(id).message;
        const TaskItem& item = world.platform().board.items(id)->front();
        EXPECT_EQ(item.failures + item.recoveries, 0);
    }
}

TEST(TimeSharing, ATenantAtItsLimitTakesTurnsWithinIt) {
    World world("gavel-las");
    world.limit_devices(1);
    const TaskId a = world.share("a", {{"H100", 5}}, 3);
    const TaskId b = world.share("b", {{"H100", 5}}, 3);

    world.run(kRound * 4);

    EXPECT_GT(world.ran_for(a), to_seconds(kRound));
    EXPECT_GT(world.ran_for(b), to_seconds(kRound));
    EXPECT_LT(world.ran_for(a) + world.ran_for(b), to_seconds(kRound) * 4);
    world.run(kRound * 6);
    EXPECT_TRUE(world.ended(a) && world.ended(b));
}

TEST(TimeSharing, RatesThatNobodyStatedAreUnknownUntilWholeRunsTellThem) {
    World world("most-throughput");
    const TaskId shared = world.share("shared", {{"H100", 4}, {"A10", 1}}, 9, false);
    const auto sharing = [&] {
        return *world.dispatcher().explain(world.task(shared)).time_sharing;
    };
    world.run(60s);
    EXPECT_EQ(sharing().rates_from, "unknown");
    EXPECT_FALSE(sharing().pools.front().rate);
    EXPECT_NE(world.at(shared), "-") << "it runs nevertheless";

    const TaskId fast = world.queue("H100", 100s);
    const TaskId slow = world.queue("A10", 400s);
    world.run(kRound * 3);

    ASSERT_TRUE(world.ended(fast) && world.ended(slow));
    EXPECT_EQ(sharing().rates_from, "history");
    std::map<std::string, double> rate;
    for (const SharedPool& pool : sharing().pools) rate[pool.model] = pool.rate.value_or(0);
    EXPECT_GT(rate["H100"], 3 * rate["A10"]);
}

TEST(TimeSharing, WhatNoNodeCouldEverTakeIsRefusedAsInTheQueue) {
    World world("most-throughput");
    const TaskId id = world.share("huge", {{"B200", 5}}, 3);

    world.run(60s);

    EXPECT_EQ(world.task(id).state, TaskState::failed);
    EXPECT_EQ(world.task(id).reason, TaskReason::no_candidate);
}

}  // namespace
}  // namespace penstock::simulation
