// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "life.h"
#include "server/elastic.h"
#include "server/services.h"
#include "tasks/state.h"

// An elastic service on the real platform: virtual time, one scripted agent, one scripted gateway,
// and a server that dies.
namespace penstock::simulation {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");
const RunId kGatewayRun{RawId{5, 5}};

class World {
  public:
    World() : random_(7), ids_(random_), clock_(kStart) {
        boot();
        found();
        create();
        run(2s);
    }

    // Seconds of the platform's life with so many calls in flight.
    void run(Duration span, std::int64_t in_flight = 0, std::int64_t calls_per_second = 0) {
        for (const Time end = clock_.now() + span; clock_.now() < end; clock_.advance(1s)) {
            calls_ += calls_per_second;
            if (gateway_speaks_) report(in_flight);
            EXPECT_TRUE(
                platform().fleet.heartbeat(node_, {.load = {.at = clock_.now()}}, clock_.now())
            );
            elastic_->tick();
            life_->dispatcher.step();
            EXPECT_TRUE(life_->settle());
            work();
        }
    }
    // The process dies at once, and another one begins.
    void crash() {
        life_->store.pull_plug();
        elastic_.reset();
        life_.reset();
        boot();
        server::Change change;
        const Result<Node> node = platform().fleet.hello(site_, hello(), node_, clock_.now());
        ASSERT_TRUE(node);
        platform().put(change, *node);
        platform().commit(std::move(change));
        EXPECT_TRUE(life_->settle());
    }

    std::string shown() const {
        const Task& task = *life_->platform.board.find(task_);
        std::int64_t ready = 0, leaving = 0;
        for (const auto& [id, row] : life_->platform.endpoints) {
            ready += row.endpoint.state == EndpointState::ready ? 1 : 0;
            leaving += row.endpoint.state == EndpointState::unready ? 1 : 0;
        }
        return tasks::name_of(task.state) + ", " + std::to_string(task.service->replicas_wanted) +
               " wanted, " + std::to_string(ready) + " ready, " + std::to_string(leaving) +
               " leaving";
    }
    std::string reason() const {
        const auto& scaled = life_->platform.board.find(task_)->service->scaled;
        return scaled ? scaled->reason : "none";
    }
    Money held() const { return life_->platform.board.find(task_)->held; }
    Money cost() const { return life_->platform.board.find(task_)->cost; }
    std::size_t attempts() const { return life_->platform.board.attempts_of(task_).size(); }
    server::Platform& platform() { return life_->platform; }
    server::ElasticServices& elastic() { return *elastic_; }
    void silence_gateway() { gateway_speaks_ = false; }
    void keep_calls_at_what_leaves(bool keep) { keeps_calls_ = keep; }

  private:
    void boot() {
        life_ = std::make_unique<Life>(disk_, clock_, random_);
        elastic_ = std::make_unique<server::ElasticServices>(life_->platform);
        life_->platform.on_stop = [this](const tasks::Stop& stop) {
            stops_.insert(stop.stop.attempt_id);
        };
    }
    static AgentHello hello() {
        return {
            .node = "n1",
            .total = {.cpu_milli = 2000, .memory_mib = 2048},
            .enforces = {"cpu", "memory"}
        };
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
            change, home.id, *parse_money("50.00"), "grant", ledger::TransferCode::grant
        ));
        SiteSpec spec{.name = "centre", .region = "cn-hubei", .division_code = "420100"};
        spec.prices.core_second = *parse_price("0.0003");
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
        const Node node = *p.fleet.hello(site_, hello(), ids_.next<NodeId>(kStart), kStart);
        node_ = node.id;
        p.put(change, node);
        p.commit(std::move(change));
        EXPECT_TRUE(life_->settle());
    }
    void create() {
        Task task;
        task.id = task_ = ids_.next<TaskId>(kStart);
        task.organisation_id = organisation_;
        task.project_id = project_;
        task.name = "chat";
        task.kind = TaskKind::Service;
        task.spec = {.kind = TaskKind::Service, .name = "chat", .run = "serve"};
        task.spec.resources.cpus = CpuRange{{500, 500}};
        task.spec.resources.memory = MemoryRange{{256, 256}};
        task.spec.placement = PlacementSpec{};
        task.spec.service = ServiceSpec{
            .replica_policy =
                ReplicaPolicy{
                    .min_replicas = 0,
                    .max_replicas = 3,
                    .target_in_flight_per_replica = 2,
                    .cold_start = 2s,
                    .averaged_over = 2s,
                    .shrink_after = 5s,
                    .to_zero_after = 10s,
                    .drain = 60s
                },
            .protocol = "openai",
            .model = "m"
        };
        task.created_at = kStart;
        server::Change change;
        EXPECT_TRUE(platform().board.create(task, change.tasks));
        platform().commit(std::move(change));
        EXPECT_TRUE(life_->settle());
    }
    void report(std::int64_t in_flight) {
        ReportLoads load{
            .replica = "g",
            .run = kGatewayRun,
            .routes_version = platform().route_version,
            .services = {{.task_id = task_, .calls_arrived = calls_, .calls_in_flight = in_flight}}
        };
        for (const auto& [id, row] : platform().endpoints)
            if (keeps_calls_ && row.endpoint.state == EndpointState::unready)
                load.leaving.push_back(id);
        EXPECT_TRUE(elastic_->report(load));
    }
    // The agent: what is reserved becomes ready, what was told to stop stops.
    void work() {
        for (const Attempt* attempt : platform().board.active_attempts_on(node_)) {
            AttemptReport report{
                .attempt_id = attempt->id, .fence = attempt->fence, .at = clock_.now()
            };
            if (stops_.contains(attempt->id)) {
                report.state = TaskState::canceled;
                report.reason = TaskReason::not_needed;
            } else if (attempt->state == TaskState::reserved) {
                report.state = TaskState::running;
                report.service_url = "http://127.0.0.1:1000";
            } else {
                continue;
            }
            server::Change change;
            EXPECT_TRUE(platform().board.report(report, clock_.now(), change.tasks));
            server::refresh_service(platform(), change, task_);
            platform().commit(std::move(change));
            EXPECT_TRUE(life_->settle());
        }
    }

    SeededRandom random_;
    IdSource ids_;
    ManualClock clock_;
    Disk disk_;
    std::unique_ptr<Life> life_;
    std::unique_ptr<server::ElasticServices> elastic_;
    OrganisationId organisation_;
    ProjectId project_;
    SiteId site_;
    NodeId node_;
    TaskId task_;
    std::set<AttemptId> stops_;
    std::int64_t calls_ = 0;
    bool gateway_speaks_ = true;
    bool keeps_calls_ = false;
};

TEST(ElasticSimulation, TheFirstCallWakesLoadGrowsAndSilenceEndsIt) {
    World world;
    EXPECT_EQ(world.shown(), "PAUSED, 0 wanted, 0 ready, 0 leaving");
    EXPECT_EQ(world.attempts(), 0U);

    world.run(3s, 1);
    EXPECT_EQ(world.shown(), "RUNNING, 1 wanted, 1 ready, 0 leaving");
    EXPECT_EQ(world.reason(), "first_call");
    world.run(4s, 6, 3);
    EXPECT_EQ(world.shown(), "RUNNING, 3 wanted, 3 ready, 0 leaving");
    EXPECT_EQ(world.reason(), "in_flight");
    EXPECT_GT(world.held(), Money());
    world.run(40s);

    EXPECT_EQ(world.shown(), "PAUSED, 0 wanted, 0 ready, 0 leaving");
    EXPECT_EQ(world.reason(), "idle");
    EXPECT_EQ(world.attempts(), 3U);
    EXPECT_EQ(world.held(), Money());
    EXPECT_GT(world.cost(), Money());
}

TEST(ElasticSimulation, AReplicaThatLeavesWaitsForItsCallsWithinItsTime) {
    World world;
    world.run(20s, 1);
    world.keep_calls_at_what_leaves(true);
    world.run(30s);
    EXPECT_EQ(world.shown(), "RUNNING, 0 wanted, 0 ready, 1 leaving");
    world.run(60s);
    EXPECT_EQ(world.shown(), "PAUSED, 0 wanted, 0 ready, 0 leaving");
}

TEST(ElasticSimulation, ACallRecallsAReplicaThatLeaves) {
    World world;
    world.run(20s, 1);
    world.keep_calls_at_what_leaves(true);
    world.run(15s);
    ASSERT_EQ(world.shown(), "RUNNING, 0 wanted, 0 ready, 1 leaving");
    world.run(2s, 1);
    EXPECT_EQ(world.shown(), "RUNNING, 1 wanted, 1 ready, 0 leaving");
    EXPECT_EQ(world.attempts(), 1U);
}

TEST(ElasticSimulation, AServerThatDiesKeepsWhatRunsAndStartsNoRush) {
    World world;
    world.run(10s, 4, 2);
    ASSERT_EQ(world.shown(), "RUNNING, 2 wanted, 2 ready, 0 leaving");
    world.crash();
    EXPECT_EQ(world.shown(), "RUNNING, 2 wanted, 2 ready, 0 leaving");
    world.run(10s, 4, 2);
    EXPECT_EQ(world.shown(), "RUNNING, 2 wanted, 2 ready, 0 leaving");
    EXPECT_EQ(world.attempts(), 2U);
}

TEST(ElasticSimulation, AServerThatDiesWhileNobodyReportsGoesToZeroAfterTheUsualSpansOnly) {
    World world;
    world.run(10s, 4, 2);
    world.crash();
    world.silence_gateway();
    world.run(4s);
    EXPECT_EQ(world.shown(), "RUNNING, 2 wanted, 2 ready, 0 leaving");
    world.run(90s);
    EXPECT_EQ(world.shown(), "PAUSED, 0 wanted, 0 ready, 0 leaving");
}

TEST(ElasticSimulation, AReplicaThatLeavesIsStoppedByTheNextServerAsWell) {
    World world;
    world.run(20s, 1);
    world.keep_calls_at_what_leaves(true);
    world.run(15s);
    world.crash();
    EXPECT_EQ(world.shown(), "RUNNING, 0 wanted, 0 ready, 1 leaving");
    world.run(70s);
    EXPECT_EQ(world.shown(), "PAUSED, 0 wanted, 0 ready, 0 leaving");
}

TEST(ElasticSimulation, GatewaysLearnOfAServiceThatRests) {
    World world;
    const std::vector<ElasticRoute> routes = server::elastic_routes(world.platform());
    ASSERT_EQ(routes.size(), 1U);
    EXPECT_EQ(routes[0].model + " " + routes[0].owner, "m home");
    EXPECT_EQ(routes[0].cold_start, 2s);
    EXPECT_GT(world.platform().route_version, server::Platform::kFirstRouteVersion);
}

}  // namespace
}  // namespace penstock::simulation
