// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "io/event.h"
#include "io/task.h"
#include "scheduler/planned_starts.h"
#include "scheduler/scheduler.h"
#include "server/agent_hub.h"
#include "server/billing.h"
#include "server/joint_starts.h"
#include "server/platform.h"
#include "server/queue_yard.h"
#include "server/start_foretelling.h"
#include "server/time_sharing.h"

namespace penstock::server {

constexpr std::size_t kPlacementsPerRoundMax = 256;  // then others get their turn
constexpr int kDecisionsPerItemMax = 3;  // of one item in one round, where the fleet refused them
constexpr Duration kTickEvery = 500ms;

// Turns waiting items into attempts: plan → capacity hold + money hold + attempt in one change →
// start. Runs whenever something changed that could let work start, and on a clock for time-outs.
class Dispatcher {
  public:
    Dispatcher(Platform& platform, Billing& billing, AgentHub& hub);
    io::Task<void> run();
    // One round of placements and one look at the clock; what run() does again and again.
    void step();

    // The plan of a task that may not exist yet; `at_once`: it has begun before.
    Plan plan(
        const TaskSpec& spec, OrganisationId organisation, std::int64_t items, bool at_once = false
    ) const;
    Explanation explain(const Task& task) const;

  private:
    // A decision on a waiting item that is still to be committed.
    struct Decided {
        tasks::Waiting waiting;
        DecisionQuestion question;
        DecisionAnswer answer;
        std::vector<fleet::CapacityHold> rooms = {};  // that the answer takes, by rank
    };
    DecisionQuestion question_of(
        const TaskSpec& spec, OrganisationId organisation, std::int64_t items,
        std::vector<NodeId> avoid
    ) const;
    // Of waiting work.
    DecisionQuestion question_of(const Task& task, bool may_wait, std::vector<NodeId> avoid) const;
    DecisionAnswer decide(const DecisionQuestion& question) const;
    // As if nothing else waited; nothing where it does not start now.
    std::optional<Plan> alone(
        const tasks::Waiting& waiting, const scheduler::QueueItem& item, const QueueYard& yard
    );
    void round();
    void say_what_is_early();
    // Starts those time-shared tasks whose turn it is, on what the queue has left.
    void take_turns(scheduler::FairQueue& queue, QueueYard& yard);
    scheduler::Started place(
        const tasks::Waiting& waiting, const scheduler::QueueItem& item, QueueYard& yard
    );
    std::vector<NodeId> to_avoid(
        const tasks::Waiting& waiting, const scheduler::QueueItem& item, const QueueYard& yard
    ) const;
    bool breaks_promise(
        NodeId node, const ResourceRequest& request, const scheduler::QueueItem& item,
        const QueueYard& yard
    ) const;
    // What was decided, in one change: money, capacity, the attempts and the record.
    scheduler::Started commit(Decided decided);
    bool have_room(const std::vector<fleet::CapacityHold>& rooms);
    scheduler::Started turn_down(Decided decided);
    // ---- put_off.cpp
    bool may_wait(const tasks::Waiting& waiting) const;
    bool waits_for_its_hour(const tasks::Waiting& waiting, const scheduler::QueueItem& item);
    scheduler::Started put_off(Decided decided, const scheduler::QueueItem& item);
    scheduler::Started wait(
        Change& change, const Task& task, TaskReason reason, const std::string& detail
    );
    DecisionId record(
        Change& change, Decided decided, DecisionOutcome outcome, std::optional<AttemptId> attempt
    );
    void tick();
    std::optional<std::vector<CallerShare>> callers_of(const Task& task) const;

    Platform& platform_;
    Billing& billing_;
    AgentHub& hub_;
    io::Event wake_;
    bool again_ = false;
    scheduler::Reservations promises_;  // from round to round
    scheduler::PlannedStarts planned_;
    JointStarts joint_;
    StartForetelling foretelling_;
    TimeSharingOwner sharing_;
    telemetry::Histogram& seconds_;
    telemetry::Counter& dropped_;
    telemetry::Counter& placed_;
    telemetry::Counter& waited_;
    telemetry::Counter& refused_;
};

}  // namespace penstock::server
