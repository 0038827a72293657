// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "dispatch/replay.h"
#include "gang_check.h"
#include "life.h"
#include "server/profiles.h"
#include "server/services.h"
#include "tasks/state.h"

// The real platform with its billing and dispatcher, virtual time, scripted agents and gateways,
// and a plug that is pulled at random moments. After every step: the books balance, nothing
// acknowledged is lost, nothing is doubled. SEED=n runs one seed alone.
namespace penstock::simulation {
namespace {

constexpr int kSteps = 200;
constexpr int kVerifyEvery = 10;  // the ledger replays itself then: everything it ever did
constexpr int kRounds = 20;
const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

// An agent's side: what it was told durably, and reports it repeats until they are acknowledged.
struct SimulatedAgent {
    NodeId node;
    std::string name;
    SiteId site;
    bool alive = true;
    std::map<AttemptId, TaskState> attempts;
    std::map<AttemptId, Time> running_since;
};

class World {
  public:
    explicit World(std::uint64_t seed) : random_(seed), ids_(random_), clock_(kStart) {
        boot();
        found();
    }

    void run() {
        for (step_ = 0; step_ < kSteps && !::testing::Test::HasFailure(); ++step_) {
            act();
            check();
        }
        drain();
        check();
        expect_history_survives_a_restart();
    }

    // Twelve items fit. The project that came first asks for all of them, then another does.
    void expect_projects_to_share_what_there_is() {
        constexpr std::size_t kFit = 12;
        server::Platform& p = life_->platform;
        const Project other = *p.directory.add_project(
            {.id = ids_.next<ProjectId>(kStart),
             .organisation_id = organisation_,
             .name = "other",
             .created_at = kStart}
        );
        for (const ProjectId project : {project_, other.id})
            for (std::size_t i = 0; i < kFit; ++i) submit_to(project);
        life_->dispatcher.step();
        std::map<ProjectId, std::size_t> placed;
        for (const Attempt* attempt : p.board.active_attempts())
            ++placed[p.board.find(attempt->task_id)->project_id];
        EXPECT_EQ(placed[project_], kFit / 2);
        EXPECT_EQ(placed[other.id], kFit / 2);
    }

  private:
    void boot() {
        life_ = std::make_unique<Life>(disk_, clock_, random_);
        for (auto& agent : agents_) agent.alive = agent.alive && hello(agent);
    }
    // The process dies; what was not durable is gone, and the clients know that it was not
    // acknowledged.
    void crash() {
        life_->store.pull_plug();
        life_.reset();
        boot();
        for (const TaskId task : acknowledged_tasks_)
            EXPECT_NE(life_->platform.board.find(task), nullptr)
                << "acknowledged task lost at step " << step_;
        for (const std::string& bill : acknowledged_bills_)
            EXPECT_TRUE(disk_.has_usage(bill)) << "acknowledged usage lost at step " << step_;
    }
    bool commit(server::Change change) {
        life_->platform.commit(std::move(change));
        return life_->settle();
    }
    // What earlier runs took is made anew of the attempts in the store.
    void expect_history_survives_a_restart() {
        if (acknowledged_tasks_.empty() || ::testing::Test::HasFailure()) return;
        const TaskSpec spec = life_->platform.board.find(*acknowledged_tasks_.begin())->spec;
        const auto basis = [&] {
            return server::profile_of(life_->platform, spec, organisation_).run_time_basis;
        };
        EXPECT_TRUE(life_->settle());
        const std::string before = basis();
        EXPECT_TRUE(before.starts_with("history of ")) << before;
        crash();
        EXPECT_EQ(basis(), before);
    }
    void found() {
        server::Platform& p = life_->platform;
        server::Change change;
        organisation_ = p.directory
                            .add_organisation(
                                {.id = ids_.next<OrganisationId>(kStart),
                                 .name = "home",
                                 .code = "00001",
                                 .roles = {Role::consumer, Role::provider},
                                 .created_at = kStart}
                            )
                            ->id;
        project_ = p.directory
                       .add_project(
                           {.id = ids_.next<ProjectId>(kStart),
                            .organisation_id = organisation_,
                            .name = "default",
                            .created_at = kStart}
                       )
                       ->id;
        p.put(change, *p.directory.find_organisation(organisation_));
        p.put(change, *p.directory.find_project(project_));
        EXPECT_TRUE(
            life_->billing.open_accounts(change, *p.directory.find_organisation(organisation_))
        );
        EXPECT_TRUE(life_->billing.top_up(
            change, organisation_, *parse_money("50.00"), "grant", ledger::TransferCode::grant
        ));
        for (const char* name : {"centre", "regional", "edge"}) {
            SiteSpec spec{.name = name, .region = "cn-hubei", .division_code = "420100"};
            spec.prices.core_second = *parse_price("0.0003");
            spec.prices.gib_second = *parse_price("0.00001");
            Site site{
                .id = ids_.next<SiteId>(kStart),
                .provider_id = organisation_,
                .provider = "home",
                .spec = spec,
                .created_at = kStart,
                .updated_at = kStart
            };
            site.c_url = *server::issue_resource_code(
                p, change, spec, *p.directory.find_organisation(organisation_)
            );
            p.put(change, *p.fleet.add_site(site));
            agents_.push_back({.node = {}, .name = std::string(name) + "-1", .site = site.id});
        }
        EXPECT_TRUE(commit(std::move(change)));
        for (SimulatedAgent& agent : agents_) hello(agent);
    }
    bool hello(SimulatedAgent& agent) {
        server::Change change;
        const AgentHello message{
            .node = agent.name,
            .total = {.cpu_milli = 2000, .memory_mib = 2048},
            .enforces = {"cpu", "memory"}
        };
        const Result<Node> node = life_->platform.fleet.hello(
            agent.site, message, ids_.next<NodeId>(clock_.now()), clock_.now()
        );
        EXPECT_TRUE(node);
        agent.node = node->id;
        life_->platform.put(change, *node);
        return commit(std::move(change));
    }

    void act() {
        clock_.advance(Duration(static_cast<std::int64_t>(random_.below(1'500'000))));
        for (SimulatedAgent& agent : agents_)
            if (agent.alive)
                (void)life_->platform.fleet.heartbeat(
                    agent.node, {.load = {.at = clock_.now()}}, clock_.now()
                );
        switch (random_.below(12)) {
            case 0:
            case 1:
                submit();
                break;
            case 2:
                cancel();
                break;
            case 3:
                call_model();
                break;
            case 4:
                kill_or_revive_agent();
                break;
            case 5:
                if (random_.below(3) == 0) crash();
                break;
            default:
                work();
                break;
        }
        life_->dispatcher.step();
        if (random_.below(40) == 0)
            crash();  // between the change and its commit
        else
            EXPECT_TRUE(life_->settle());
        // What agents learn is durable: starts are sent after the commit.
        for (SimulatedAgent& agent : agents_)
            for (const Attempt* attempt : life_->platform.board.active_attempts_on(agent.node))
                if (agent.alive) agent.attempts.try_emplace(attempt->id, TaskState::reserved);
    }
    void submit() {
        TaskSpec spec{.name = "t", .run = "true"};
        spec.resources.cpus = CpuRange{{500, 500}};
        spec.resources.memory = MemoryRange{{256, 256}};
        spec.placement = PlacementSpec{};
        if (random_.below(3) == 0)
            spec.array = ArraySpec{.params = {{"Frame", "1-4:1"}}, .retry = {.per_item = 1}};
        if (random_.below(4) == 0) spec.checkpoint = CheckpointSpec{};
        if (random_.below(5) == 0) spec.budget = BudgetSpec{.max_total = *parse_money("0.01")};
        if (random_.below(3) == 0) {
            // There is one node at each site.
            spec.num_nodes = 2 + static_cast<std::int64_t>(random_.below(2));
            spec.placement->topology = TopologySpec{};
        }
        const TaskId task = create(project_, spec);
        if (random_.below(20) == 0)
            return crash();  // before the answer: the client was told nothing
        if (life_->settle()) acknowledged_tasks_.insert(task);
    }
    TaskId create(ProjectId project, const TaskSpec& spec) {
        Task task;
        task.id = ids_.next<TaskId>(clock_.now());
        task.organisation_id = organisation_;
        task.project_id = project;
        task.name = "t";
        task.spec = spec;
        task.created_at = clock_.now();
        server::Change change;
        EXPECT_TRUE(life_->platform.board.create(task, change.tasks));
        life_->platform.commit(std::move(change));
        return task.id;
    }
    void submit_to(ProjectId project) {
        TaskSpec spec{.name = "t", .run = "true"};
        spec.resources.cpus = CpuRange{{500, 500}};
        spec.resources.memory = MemoryRange{{256, 256}};
        spec.placement = PlacementSpec{};
        create(project, spec);
    }
    void cancel() {
        const auto open =
            life_->platform.board.list([](const Task& task) { return !is_terminal(task.state); });
        if (open.empty()) return;
        server::Change change;
        (void)life_->platform.board.cancel(
            open[random_.below(open.size())]->id, TaskReason::canceled_by_user, "user", "",
            clock_.now(), change.tasks
        );
        life_->platform.commit(std::move(change));
    }
    // A lease, then a call on it, settled twice: the second time must change nothing.
    void call_model() {
        server::Change change;
        AllowanceAsk ask{.lease_id = ids_.next<LeaseId>(clock_.now())};
        ask.account.subject = to_string(organisation_);
        ask.wanted = ask.needed = ask.smallest = Units::of(*parse_money("0.50"));
        const Result<GrantedAllowances> granted = life_->billing.acquire_allowances(
            change, {.replica = "g", .run = RunId(RawId{1, 1}), .asks = {ask}}
        );
        if (!commit(std::move(change)) || !granted) return;
        if (granted->allowances.front().granted.is_zero()) return;
        CallRecord call{
            .id = ids_.next<RequestId>(clock_.now()),
            .lease_id = ask.lease_id,
            .organisation_id = organisation_,
            .project_id = project_,
            .started_at = clock_.now(),
            .ended_at = clock_.now(),
            .price_input = *parse_price("100.0"),
            .price_output = *parse_price("400.0")
        };
        call.tokens.input_fresh = static_cast<std::int64_t>(random_.below(400));
        call.tokens.output_visible = static_cast<std::int64_t>(random_.below(400));
        if (random_.below(4) == 0) clock_.advance(200s);
        for (int repeat = 0; repeat < 2; ++repeat) {
            server::Change settle;
            const std::uint64_t before = life_->platform.ledger.last_seq();
            const std::string usage = to_string(UsageId(call.id.raw()));
            const SettledCalls settled = life_->billing.settle_calls(
                settle, {.replica = "g", .records = {call}}, *life_->store.known_usage({usage})
            );
            EXPECT_EQ(settled.accepted + settled.repeated, 1);
            if (settled.repeated == 1) EXPECT_EQ(life_->platform.ledger.last_seq(), before);
            if (random_.below(10) == 0) {
                life_->platform.commit(std::move(settle));
                crash();  // the gateway was told nothing and sends it again
            } else if (commit(std::move(settle))) {
                acknowledged_bills_.insert(to_string(UsageId(call.id.raw())));
            }
        }
    }
    void kill_or_revive_agent() {
        SimulatedAgent& agent = agents_[random_.below(agents_.size())];
        agent.alive = !agent.alive;
        if (!agent.alive)
            return agent.attempts.clear();  // the host is gone with all that ran there
        const auto assigned = life_->platform.board.active_attempts_on(agent.node);
        if (!hello(agent)) return;
        server::Change change;
        for (const Attempt* attempt : assigned)
            if (attempt->state != TaskState::reserved)
                life_->platform.board.attempt_vanished(attempt->id, clock_.now(), change.tasks);
        life_->platform.commit(std::move(change));
    }
    // Agents take their attempts one state further, each report twice.
    void work() {
        for (SimulatedAgent& agent : agents_) {
            if (!agent.alive) continue;
            std::vector<AttemptId> gone;
            for (auto& [id, state] : agent.attempts) {
                const Attempt* attempt = life_->platform.board.find_attempt(id);
                if (attempt == nullptr || !tasks::is_active(attempt->state)) {
                    gone.push_back(id);
                    continue;
                }
                if (random_.below(3) != 0) continue;
                AttemptReport report = next_report(agent, *attempt);
                for (int repeat = 0; repeat < 2; ++repeat) {
                    server::Change change;
                    (void)life_->platform.board.report(report, clock_.now(), change.tasks);
                    life_->platform.commit(std::move(change));
                }
                state = report.state;
            }
            for (const AttemptId id : gone) agent.attempts.erase(id);
        }
    }
    AttemptReport next_report(SimulatedAgent& agent, const Attempt& attempt) {
        AttemptReport report{.attempt_id = attempt.id, .fence = attempt.fence, .at = clock_.now()};
        const tasks::Board& board = life_->platform.board;
        const std::int64_t ran = attempt.running_at ? to_ms(clock_.now() - *attempt.running_at) : 0;
        report.meter = Metered{.running_ms = ran};
        if (!board.is_wanted(attempt))
            report.state = TaskState::canceled;
        else if (attempt.state == TaskState::reserved)
            report.state = TaskState::staging;
        else if (attempt.state == TaskState::staging && attempt.gang && !board.may_go(attempt))
            report.ready = true;
        else if (attempt.state == TaskState::staging)
            report.state = TaskState::running;
        else if (attempt.state == TaskState::running && random_.below(3) == 0) {
            report.state = TaskState::running;
            report.checkpoint =
                Checkpoint{.sha256 = "c", .bytes = 1, .at = clock_.now(), .running_ms = ran};
        } else if (random_.below(5) == 0) {
            report.state = TaskState::failed;
            report.reason = TaskReason::exit_code;
            report.fault_domain = random_.below(2) == 0 ? FaultDomain::user : FaultDomain::provider;
        } else {
            report.state = TaskState::succeeded;
        }
        (void)agent;
        return report;
    }
    // Everything that is open ends: agents come back and work off what there is.
    void drain() {
        for (SimulatedAgent& agent : agents_)
            if (!agent.alive) agent.alive = hello(agent);
        constexpr int kDrainSteps = 300;
        for (int i = 0; i < kDrainSteps; ++i) {
            clock_.advance(1s);
            for (SimulatedAgent& agent : agents_) {
                (void)life_->platform.fleet.heartbeat(
                    agent.node, {.load = {.at = clock_.now()}}, clock_.now()
                );
                for (const Attempt* attempt : life_->platform.board.active_attempts_on(agent.node))
                    agent.attempts.try_emplace(attempt->id, TaskState::reserved);
            }
            work();
            life_->dispatcher.step();
            EXPECT_TRUE(life_->settle());
        }
        // The gateway has not given back what it had: that is free when no call on it can come.
        clock_.advance(routing::kAllowanceTime + routing::kAllowanceGrace + 300s);
        for (SimulatedAgent& agent : agents_)
            (void)life_->platform.fleet.heartbeat(
                agent.node, {.load = {.at = clock_.now()}}, clock_.now()
            );
        life_->dispatcher.step();
        EXPECT_TRUE(life_->settle());
    }

    // Whichever process made it, a decision that is kept can be made again.
    void check_a_decision() {
        const auto& kept = life_->platform.decisions.decisions();
        if (kept.empty()) return;
        const DecisionId id = kept[random_.below(kept.size())].id;
        const Result<DecisionRecord> record = life_->platform.decisions.record(id);
        ASSERT_TRUE(record) << "step " << step_ << ": " << to_string(record.error());
        const dispatch::Replay again = dispatch::replay(*record);
        ASSERT_TRUE(again.identical) << "step " << step_ << ": " << again.difference;
    }

    void check() {
        server::Platform& p = life_->platform;
        const Result<void> verified =
            step_ % kVerifyEvery == 0 || step_ == kSteps ? p.ledger.verify() : Result<void>{};
        ASSERT_TRUE(verified) << "step " << step_ << ": " << to_string(verified.error());
        ASSERT_TRUE(life_->billing.settlement().balanced) << "step " << step_;
        Money charged;
        std::set<std::string> resources;
        EXPECT_TRUE(life_->settle());
        for (const auto& [id, row] : disk_.usage()) {
            const auto [known, is_new] = bills_.try_emplace(id);
            if (is_new) known->second = *json::parse<BillLine>(row.body);
            const BillLine& line = known->second;
            charged = *add(charged, line.charged);
            ASSERT_TRUE(resources.insert(line.resource).second)
                << line.resource << " billed twice at step " << step_;
            ASSERT_EQ(*add(line.fee, line.provider_share), line.charged) << line.resource;
        }
        const Wallet wallet = life_->billing.wallet(organisation_);
        ASSERT_EQ(charged, wallet.spent) << "step " << step_;
        ASSERT_GE(wallet.available, Money()) << "step " << step_;
        std::size_t ended = 0, unsettled = 0;
        for (const Task* task : p.board.list([](const Task&) { return true; }))
            for (const Attempt* attempt : p.board.attempts_of(task->id)) {
                // A gang is settled when its last member has ended.
                if (std::ranges::any_of(p.board.members_of(*attempt), [](const Attempt* member) {
                        return tasks::is_active(member->state);
                    })) {
                    ++unsettled;
                    gangs_ += attempt->gang && attempt->state == TaskState::running ? 1U : 0U;
                    continue;
                }
                ++ended;
                ASSERT_TRUE(resources.contains("attempt/" + to_string(attempt->id)))
                    << "an ended attempt has no bill line, step " << step_;
                ASSERT_LE(attempt->cost, *add(attempt->held, wallet.spent));
            }
        for (const Node* node : p.fleet.nodes()) {
            ASSERT_LE(node->held.cpu_milli, node->total.cpu_milli) << node->name;
            ASSERT_GE(node->held.cpu_milli, 0) << node->name;
            ASSERT_EQ(p.engine.find(node->id)->free(), p.fleet.free_of(*node)) << node->name;
        }
        if (step_ % kVerifyEvery == 0) check_a_decision();
        ASSERT_EQ(p.attempt_holds.size(), unsettled) << "holds without attempts, step " << step_;
        expect_gangs_to_be_whole(p.board);
        ended_ = ended;
    }

  public:
    std::size_t ended_ = 0;
    std::size_t gangs_ = 0;  // times that a running member of one was seen
    std::size_t active_at_end() { return life_->platform.board.active_attempts().size(); }
    Money held_at_end() { return life_->billing.wallet(organisation_).held; }

  private:
    SeededRandom random_;
    IdSource ids_;
    ManualClock clock_;
    Disk disk_;
    std::unique_ptr<Life> life_;
    OrganisationId organisation_;
    ProjectId project_;
    std::vector<SimulatedAgent> agents_;
    std::set<TaskId> acknowledged_tasks_;
    std::set<std::string> acknowledged_bills_;
    std::map<std::string, BillLine> bills_;  // of the disk, read once
    int step_ = 0;
};

// How often a member of a gang was seen running.
std::size_t run_seed(std::uint64_t seed) {
    SCOPED_TRACE("SEED=" + std::to_string(seed));
    World world(seed);
    world.run();
    EXPECT_GT(world.ended_, 10U) << "the simulation did too little to mean anything";
    EXPECT_EQ(world.active_at_end(), 0U) << "an attempt goes on for ever";
    EXPECT_EQ(world.held_at_end(), Money()) << "a hold leaked";
    return world.gangs_;
}

TEST(PlatformSimulation, ProjectsShareWhatThereIsWhoeverCameFirst) {
    World(1).expect_projects_to_share_what_there_is();
}

TEST(PlatformSimulation, SurvivesPulledPlugsWithoutLosingOrDoublingAnything) {
    if (const char* seed = std::getenv("SEED")) {
        run_seed(std::strtoull(seed, nullptr, 10));
        return;
    }
    std::size_t gangs = 0;
    for (int round = 0; round < kRounds && !HasFailure(); ++round)
        gangs += run_seed(1000 + static_cast<std::uint64_t>(round));
    EXPECT_GT(gangs, 100U) << "too few gangs ran to mean anything";
}

}  // namespace
}  // namespace penstock::simulation
