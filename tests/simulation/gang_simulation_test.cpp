// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "life.h"
#include "server/services.h"
#include "tasks/state.h"

// The real dispatcher over nodes of one site, step by step: what it does with work of several nodes
// beside work of one.
namespace penstock::simulation {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

class Town {
  public:
    explicit Town(std::size_t count) {
        server::Platform& p = life.platform;
        server::Change change;
        organisation_ = p.directory
                            .add_organisation(
                                {.id = ids.next<OrganisationId>(kStart),
                                 .name = "home",
                                 .code = "00001",
                                 .roles = {Role::consumer, Role::provider},
                                 .created_at = kStart}
                            )
                            ->id;
        project_ = p.directory
                       .add_project(
                           {.id = ids.next<ProjectId>(kStart),
                            .organisation_id = organisation_,
                            .name = "default",
                            .created_at = kStart}
                       )
                       ->id;
        const Organisation& home = *p.directory.find_organisation(organisation_);
        EXPECT_TRUE(life.billing.open_accounts(change, home));
        EXPECT_TRUE(life.billing.top_up(
            change, organisation_, *parse_money("50.00"), "grant", ledger::TransferCode::grant
        ));
        SiteSpec spec{.name = "centre", .region = "cn-hubei", .division_code = "420100"};
        spec.prices.core_second = *parse_price("0.0003");
        spec.prices.gib_second = *parse_price("0.00001");
        Site site{
            .id = ids.next<SiteId>(kStart),
            .provider_id = organisation_,
            .provider = "home",
            .spec = spec,
            .created_at = kStart,
            .updated_at = kStart
        };
        site.c_url = *server::issue_resource_code(p, change, spec, home);
        EXPECT_TRUE(p.fleet.add_site(site));
        p.commit(std::move(change));
        for (std::size_t i = 0; i < count; ++i) {
            const AgentHello hello{
                .node = "n" + std::to_string(i),
                .total = {.cpu_milli = 2000, .memory_mib = 2048},
                .enforces = {"cpu", "memory"}
            };
            nodes.push_back(p.fleet.hello(site.id, hello, ids.next<NodeId>(kStart), kStart)->id);
        }
    }

    TaskId submit(std::int64_t members, std::int64_t cpu_milli, std::int64_t priority = 0) {
        TaskSpec spec{.name = "t", .run = "true"};
        spec.resources.cpus = CpuRange{{cpu_milli, cpu_milli}};
        spec.resources.memory = MemoryRange{{256, 256}};
        spec.placement = PlacementSpec{};
        spec.num_nodes = members;
        spec.priority = priority;
        return submit(std::move(spec));
    }
    TaskId submit(TaskSpec spec) {
        Task task;
        task.id = ids.next<TaskId>(clock.now());
        task.organisation_id = organisation_;
        task.project_id = project_;
        task.name = spec.name;
        task.spec = std::move(spec);
        task.created_at = clock.now();
        server::Change change;
        EXPECT_TRUE(life.platform.board.create(task, change.tasks));
        life.platform.commit(std::move(change));
        return task.id;
    }
    std::size_t running(TaskId task) {
        return static_cast<std::size_t>(std::ranges::count_if(
            life.platform.board.attempts_of(task),
            [](const Attempt* attempt) { return tasks::is_active(attempt->state); }
        ));
    }
    // What the dispatcher decides from lags behind the fleet from here on, by what fills `node`.
    void fill_unseen(NodeId node) {
        struct Nobody final : fleet::Listener {
            void site_put(const Site&) override {}
            void node_put(const Node&) override {}
            void outlook_put(const SiteOutlook&) override {}
            void held(AttemptId, const fleet::CapacityHold&) override {}
            void released(AttemptId) override {}
        } nobody;
        fleet::Fleet& fleet = life.platform.fleet;
        fleet.tell(nobody);
        const std::int64_t all = fleet.find_node(node)->total.cpu_milli;
        EXPECT_TRUE(fleet.hold(ids.next<AttemptId>(kStart), node, {.cpu_milli = all}));
        fleet.tell(life.platform.decisions);
    }
    bool metrics_say(const std::string& line) {
        return life.metrics.render().find(line + "\n") != std::string::npos;
    }

    SeededRandom random{7};
    IdSource ids{random};
    ManualClock clock{kStart};
    Disk disk;
    Life life{disk, clock, random};
    std::vector<NodeId> nodes;

  private:
    OrganisationId organisation_;
    ProjectId project_;
};

TEST(GangSimulation, TheFleetHasTheLastWordOnADecision) {
    Town town(1);
    town.fill_unseen(town.nodes[0]);
    const TaskId task = town.submit(1, 500);

    town.life.dispatcher.step();

    EXPECT_EQ(town.running(task), 0U);
    EXPECT_TRUE(town.metrics_say("penstock_scheduler_decisions_dropped_total 3"));
}

TEST(GangSimulation, OneMemberWithoutRoomDropsTheDecisionOnAll) {
    Town town(2);
    town.fill_unseen(town.nodes[1]);
    const TaskId task = town.submit(2, 500);

    town.life.dispatcher.step();

    EXPECT_EQ(town.running(task), 0U);
    EXPECT_TRUE(town.metrics_say("penstock_scheduler_decisions_dropped_total 3"));
    EXPECT_EQ(town.life.platform.fleet.find_node(town.nodes[0])->held, Capacity{});
    EXPECT_TRUE(town.life.platform.attempt_holds.empty());
}

TEST(GangSimulation, AllMembersBeginWithOneDecision) {
    Town town(3);
    const TaskId task = town.submit(3, 500);

    town.life.dispatcher.step();

    EXPECT_EQ(town.running(task), 3U);
    ASSERT_EQ(town.life.platform.decisions.decisions().size(), 1U);
    const Decision& decision = town.life.platform.decisions.decisions().front();
    const std::vector<const Attempt*> members = town.life.platform.board.attempts_of(task);
    EXPECT_EQ(decision.outcome, DecisionOutcome::place);
    EXPECT_EQ(decision.attempt_id, members[0]->id);
    EXPECT_EQ(members[0]->decision_id, decision.id);
    EXPECT_FALSE(members[1]->decision_id);
}

}  // namespace
}  // namespace penstock::simulation
