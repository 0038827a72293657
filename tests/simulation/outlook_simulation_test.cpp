// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "dispatch/replay.h"
#include "life.h"
#include "server/services.h"
#include "tasks/state.h"

// Work that waits for a better hour, on the real platform with its billing: virtual time, two sites
// with hours of their own, scripted agents, and a server that dies.
namespace penstock::simulation {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:10:00Z");
const Time kHour = *parse_rfc3339("2026-11-24T00:00:00Z");
constexpr Duration kStep = 1min;

class World {
  public:
    explicit World(std::uint64_t seed = 7) : random_(seed), ids_(random_), clock_(kStart) {
        life_ = std::make_unique<Life>(disk_, clock_, random_);
        found();
        EXPECT_TRUE(life_->settle());
    }

    void state_outlook(const std::string& site, OutlookSpec spec) {
        server::Change change;
        const Result<SiteOutlook> stated = platform().fleet.state_outlook(
            platform().fleet.find_site(std::string_view(site))->id, std::move(spec), clock_.now()
        );
        ASSERT_TRUE(stated) << to_string(stated.error());
        platform().put(change, *stated);
        commit(std::move(change));
    }
    // A task of one CPU that runs for `length` of at most an hour.
    TaskId submit(Strategy strategy, std::optional<Duration> until, Duration length = 50min) {
        TaskSpec spec{.name = "t", .run = "true"};
        spec.resources.cpus = CpuRange{{1000, 1000}};
        spec.resources.memory = MemoryRange{{256, 256}};
        spec.placement = PlacementSpec{.optimize = strategy};
        spec.time_limit = 1h;
        if (until) spec.deadline = kHour + *until;
        return submit(std::move(spec), length);
    }
    // Fills the sites' nodes for so long.
    void occupy(const std::vector<std::string>& sites, Duration length) {
        for (const std::string& site : sites) {
            TaskSpec spec{.name = "other", .run = "true"};
            spec.resources.cpus = CpuRange{{1000, 1000}};
            spec.resources.memory = MemoryRange{{256, 256}};
            spec.placement = PlacementSpec{.constraints = PlacementConstraints{.sites = {site}}};
            submit(std::move(spec), length);
        }
    }
    void run_until(Time time) {
        while (clock_.now() < time) {
            clock_.advance(std::min(kStep, time - clock_.now()));
            for (const Node* node : platform().fleet.nodes())
                EXPECT_TRUE(platform().fleet.heartbeat(
                    node->id, {.load = {.at = clock_.now()}}, clock_.now()
                ));
            work();
            life_->dispatcher.step();
            EXPECT_TRUE(life_->settle());
        }
    }
    // The process dies at once, and another one begins.
    void crash() {
        life_->store.pull_plug();
        life_.reset();
        life_ = std::make_unique<Life>(disk_, clock_, random_);
        for (const auto& [name, id] : sites_) hello(name, id);
    }

    const Task& task(TaskId id) { return *platform().board.find(id); }
    // "waiting_for_start_time", or "wind from 03:00 to 03:51".
    std::string fate(TaskId id) {
        const Task& found = task(id);
        const auto attempts = platform().board.attempts_of(id);
        if (attempts.empty()) return json_name(found.reason);
        const Attempt& last = *attempts.back();
        return last.placement.site + " from " + clock_text(last.created_at) +
               (last.ended_at ? " to " + clock_text(*last.ended_at) : "");
    }
    std::vector<Decision> decisions_on(TaskId id) {
        std::vector<Decision> all;
        for (const Decision& decision : platform().decisions.decisions())
            if (decision.task_id == id) all.push_back(decision);
        return all;
    }
    std::vector<BillLine> bills() {
        std::vector<BillLine> all;
        for (const auto& [id, row] : disk_.usage()) all.push_back(*json::parse<BillLine>(row.body));
        return all;
    }
    Money held() { return life_->billing.wallet(organisation_).held; }
    Explanation explain(TaskId id) { return life_->dispatcher.explain(task(id)); }
    server::Platform& platform() { return life_->platform; }
    SeededRandom& random() { return random_; }

  private:
    static std::string clock_text(Time time) { return to_rfc3339(time).substr(11, 5); }
    static std::string json_name(TaskReason reason) {
        const std::string text = json::print(Task{.reason = reason});
        const std::size_t from = text.find("\"reason\":\"") + 10;
        return text.substr(from, text.find('"', from) - from);
    }
    void commit(server::Change change) {
        platform().commit(std::move(change));
        EXPECT_TRUE(life_->settle());
    }
    TaskId submit(TaskSpec spec, Duration length) {
        Task task;
        task.id = ids_.next<TaskId>(clock_.now());
        task.organisation_id = organisation_;
        task.project_id = project_;
        task.name = spec.name;
        task.spec = std::move(spec);
        task.created_at = clock_.now();
        lengths_[task.id] = length;
        server::Change change;
        const TaskId id = task.id;
        EXPECT_TRUE(platform().board.create(std::move(task), change.tasks));
        commit(std::move(change));
        life_->dispatcher.step();
        EXPECT_TRUE(life_->settle());
        return id;
    }
    void hello(const std::string& name, SiteId site) {
        server::Change change;
        const AgentHello message{
            .node = name + "-1",
            .total = {.cpu_milli = 1000, .memory_mib = 1024},
            .enforces = {"cpu", "memory"}
        };
        const Result<Node> node =
            platform().fleet.hello(site, message, ids_.next<NodeId>(clock_.now()), clock_.now());
        ASSERT_TRUE(node);
        platform().put(change, *node);
        commit(std::move(change));
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
            change, home.id, *parse_money("500.00"), "grant", ledger::TransferCode::grant
        ));
        for (const char* name : {"coal", "wind"}) {
            SiteSpec spec{
                .name = name,
                .region = "cn-hubei",
                .division_code = "420100",
                .carbon_g_per_kwh = 600,
                .rtt_ms = 5,
                .watts_per_core = 100
            };
            spec.prices.core_second = *parse_price("0.0003");
            Site site{
                .id = ids_.next<SiteId>(kStart),
                .provider_id = home.id,
                .provider = "home",
                .spec = spec,
                .created_at = kStart,
                .updated_at = kStart
            };
            site.c_url = *server::issue_resource_code(p, change, spec, home);
            p.put(change, *p.fleet.add_site(site));
            sites_[name] = site.id;
        }
        p.commit(std::move(change));
        for (const auto& [name, id] : sites_) hello(name, id);
    }
    // Agents take their attempts one state further.
    void work() {
        server::Change change;
        tasks::Board& board = platform().board;
        for (const Attempt* attempt : board.active_attempts()) {
            AttemptReport report{
                .attempt_id = attempt->id, .fence = attempt->fence, .at = clock_.now()
            };
            const Duration ran =
                attempt->running_at ? clock_.now() - *attempt->running_at : Duration{0};
            report.meter = Metered{.running_ms = to_ms(ran)};
            if (attempt->state == TaskState::reserved)
                report.state = TaskState::staging;
            else if (attempt->state == TaskState::staging)
                report.state = TaskState::running;
            else if (ran >= lengths_.at(attempt->task_id))
                report.state = TaskState::succeeded;
            else
                continue;
            EXPECT_TRUE(board.report(report, clock_.now(), change.tasks));
        }
        platform().commit(std::move(change));
    }

    SeededRandom random_;
    IdSource ids_;
    ManualClock clock_;
    Disk disk_;
    std::unique_ptr<Life> life_;
    OrganisationId organisation_;
    ProjectId project_;
    std::map<std::string, SiteId> sites_;
    std::map<TaskId, Duration> lengths_;
};

// Clean from 03:00 to 04:00.
OutlookSpec windy() {
    return {.from = kHour, .carbon_g_per_kwh = {500, 500, 500, 50, 500, 500, 500, 500, 500, 500}};
}

TEST(OutlookSimulation, AGreenTaskWaitsForTheGreenHourAndHoldsNothing) {
    World world;
    world.state_outlook("wind", windy());
    const TaskId id = world.submit({.green = 1}, 8h);
    EXPECT_EQ(world.fate(id), "waiting_for_start_time");
    EXPECT_EQ(world.held(), Money());
    EXPECT_NE(
        world.task(id).message.find("from 2026-11-24T03:00:00Z on at wind/wind-1: green"),
        std::string::npos
    ) << world.task(id).message;
    const Explanation explanation = world.explain(id);
    EXPECT_EQ(explanation.blocker, "start_time");
    EXPECT_EQ(explanation.start->expected, kHour + 3h);

    world.run_until(kHour + 5h);

    EXPECT_EQ(world.fate(id), "wind from 03:00 to 03:52");
    EXPECT_EQ(world.task(id).state, TaskState::succeeded);
}

TEST(OutlookSimulation, WithoutADeadlineItStartsAtOnceAndSoDoesWhatIsInAHurry) {
    World world;
    world.state_outlook("wind", windy());
    EXPECT_EQ(world.fate(world.submit({.green = 1}, std::nullopt)), "wind from 00:10");
    World other;
    other.state_outlook("wind", windy());
    EXPECT_EQ(other.fate(other.submit({.duration = 1}, 8h)).substr(5), "from 00:10");
}

TEST(OutlookSimulation, WhatComesBehindDoesNotWaitForIt) {
    World world;
    world.state_outlook("wind", windy());
    const TaskId waits = world.submit({.green = 1}, 8h);
    const TaskId first = world.submit({.green = 1}, std::nullopt, 30min);
    const TaskId second = world.submit({.green = 1}, std::nullopt, 30min);
    EXPECT_EQ(world.fate(waits), "waiting_for_start_time");
    EXPECT_EQ(world.fate(first), "wind from 00:10");
    EXPECT_EQ(world.fate(second), "coal from 00:10");
}

TEST(OutlookSimulation, AServerThatDiesDecidesItAgain) {
    World world;
    world.state_outlook("wind", windy());
    const TaskId id = world.submit({.green = 1}, 8h);
    world.run_until(kHour + 90min);
    world.crash();
    world.run_until(kHour + 2h);
    EXPECT_EQ(world.fate(id), "waiting_for_start_time");
    world.crash();
    world.run_until(kHour + 5h);
    EXPECT_EQ(world.fate(id), "wind from 03:00 to 03:52");
}

TEST(OutlookSimulation, WhatItSawOfRestartsAServerThatDiesReadsAgain) {
    World world;
    world.occupy({"wind"}, 25h);
    world.run_until(kHour + 26h);
    const SiteId wind = world.platform().fleet.find_site(std::string_view("wind"))->id;
    ASSERT_NE(world.platform().engine.restarts_of(wind), nullptr);
    const scheduler::SiteRestarts before = *world.platform().engine.restarts_of(wind);

    world.crash();

    ASSERT_NE(world.platform().engine.restarts_of(wind), nullptr);
    EXPECT_EQ(*world.platform().engine.restarts_of(wind), before);
    const TaskId next = world.submit({.cost = 1}, std::nullopt);
    const DecisionRecord record =
        *world.platform().decisions.record(world.decisions_on(next).front().id);
    for (const Candidate& candidate : record.answer.plan.candidates)
        EXPECT_EQ(candidate.terms.restarts.has_value(), candidate.site == "wind");
    EXPECT_TRUE(dispatch::replay(record).identical);
}

TEST(OutlookSimulation, AnotherOutlookIsHeardAtOnce) {
    World world;
    world.state_outlook("wind", windy());
    const TaskId id = world.submit({.green = 1}, 8h);
    world.run_until(kHour + 70min);
    EXPECT_EQ(world.fate(id), "waiting_for_start_time");

    world.state_outlook("wind", {.from = kHour + 1h, .carbon_g_per_kwh = {20, 20, 400, 400, 400}});
    world.run_until(kHour + 71min);

    EXPECT_EQ(world.fate(id), "wind from 01:11");
}

TEST(OutlookSimulation, WhereItsPlaceIsTakenItGoesElsewhereInTime) {
    World world;
    world.state_outlook("wind", windy());
    const TaskId id = world.submit({.green = 1}, 6h);
    world.run_until(kHour + 2h + 50min);
    world.occupy({"wind"}, 10h);
    world.run_until(kHour + 6h);
    EXPECT_EQ(world.fate(id), "coal from 03:00 to 03:52");
}

TEST(OutlookSimulation, WhereAllPlacesAreTakenItWaitsAsAllWorkDoesAndEndsInTime) {
    World world;
    world.state_outlook("wind", windy());
    const TaskId id = world.submit({.green = 1}, 6h);
    world.run_until(kHour + 2h + 50min);
    world.occupy({"wind", "coal"}, 70min);
    world.run_until(kHour + 3h + 10min);
    EXPECT_EQ(world.fate(id), "waiting_for_capacity");
    world.run_until(kHour + 6h);
    EXPECT_EQ(world.fate(id).substr(5), "from 04:02 to 04:54");
    EXPECT_EQ(world.task(id).state, TaskState::succeeded);
}

TEST(OutlookSimulation, WaitingIsRecordedOncePerPlannedStartAndMadeAgain) {
    World world;
    world.state_outlook("wind", windy());
    const TaskId id = world.submit({.green = 1}, 8h);
    world.run_until(kHour + 5h);
    const std::vector<Decision> decisions = world.decisions_on(id);
    ASSERT_EQ(decisions.size(), 2U);
    EXPECT_EQ(decisions[0].outcome, DecisionOutcome::wait);
    EXPECT_EQ(decisions[1].outcome, DecisionOutcome::place);
    for (const Decision& decision : decisions) {
        const Result<DecisionRecord> record = world.platform().decisions.record(decision.id);
        ASSERT_TRUE(record) << to_string(record.error());
        EXPECT_EQ(dispatch::replay(*record).difference, "");
    }
    EXPECT_EQ(
        world.platform().decisions.record(decisions[0].id)->answer.plan.later->start_at, kHour + 3h
    );
}

TEST(OutlookSimulation, WhatStartsInACheapHourIsBilledAsThePlanSaid) {
    World world;
    world.state_outlook(
        "wind", {.from = kHour, .price_percent = {100, 100, 40, 100, 100, 100, 100, 100}}
    );
    const TaskId id = world.submit({.cost = 1}, 8h);
    const Plan plan = world.explain(id).plan;
    EXPECT_EQ(to_string(*plan.estimated_cost), "0.432") << "an hour at 40 percent of 1.08";
    EXPECT_EQ(plan.hold, plan.estimated_cost);

    world.run_until(kHour + 2h);
    EXPECT_EQ(world.held(), *plan.hold);
    world.run_until(kHour + 4h);

    EXPECT_EQ(world.fate(id), "wind from 02:00 to 02:52");
    ASSERT_EQ(world.bills().size(), 1U);
    EXPECT_EQ(to_string(world.bills()[0].usage[0].price), "0.00012");
    EXPECT_EQ(to_string(world.bills()[0].charged), "0.36") << "50 minutes of it";
}

TEST(OutlookSimulation, WhatRunsPastTheHourItWasPlacedInKeepsItsPrice) {
    World world;
    world.state_outlook("wind", {.from = kHour, .price_percent = {50, 100, 100, 100}});
    const TaskId id = world.submit({.cost = 1}, std::nullopt, 59min);
    world.state_outlook("wind", {.from = kHour, .price_percent = {80, 90, 100, 100}});
    world.run_until(kHour + 3h);
    EXPECT_EQ(world.task(id).state, TaskState::succeeded);
    EXPECT_EQ(to_string(world.bills()[0].usage[0].price), "0.00015");
}

// Whatever the hours are: what could have ended in time does, though it waited.
TEST(OutlookSimulation, NoDeadlineIsMissedForWaiting) {
    for (std::uint64_t seed = 1; seed <= 20 && !HasFailure(); ++seed) {
        SCOPED_TRACE("SEED=" + std::to_string(seed));
        World world(seed);
        for (const char* site : {"coal", "wind"}) {
            OutlookSpec spec{.from = kHour};
            for (int hour = 0; hour < 24; ++hour) {
                spec.carbon_g_per_kwh.push_back(static_cast<double>(world.random().below(600)));
                spec.price_percent.push_back(
                    1 + static_cast<std::int64_t>(world.random().below(100))
                );
            }
            world.state_outlook(site, spec);
        }
        std::vector<TaskId> ids;
        for (int i = 0; i < 2; ++i) {
            const auto minutes = static_cast<std::int64_t>(100 + world.random().below(600));
            ids.push_back(world.submit(
                i == 0 ? Strategy{.green = 1} : Strategy{.cost = 1}, std::chrono::minutes(minutes),
                59min
            ));
        }
        if (world.random().below(2) == 0) {
            world.run_until(kHour + 80min);
            world.crash();
        }
        world.run_until(kHour + 13h);
        for (const TaskId id : ids)
            EXPECT_EQ(world.task(id).state, TaskState::succeeded) << world.fate(id);
        EXPECT_EQ(world.held(), Money());
    }
}

}  // namespace
}  // namespace penstock::simulation
