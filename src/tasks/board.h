// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/agent_protocol.h"
#include "model/task.h"

namespace penstock::tasks {

constexpr std::int64_t kRecoveriesMax =
    20;                              // of one item; then the task fails by the provider's fault
constexpr Duration kStopGrace = 5s;  // from TERM to KILL
// From the placement of a gang until all its members run: an hour of `setup`, which the agents
// enforce, and staging. Then those that are late fail by their provider's fault.
constexpr Duration kGangAssemblyMax = 70min;

// Of a preemption: to store a checkpoint, and then from TERM to KILL.
constexpr Duration kPreemptionCheckpointMax = 60s;
constexpr Duration kPreemptionGrace = 30s;

// A stop to be sent to the agent of an attempt's node.
struct Stop {
    NodeId node_id;
    StopAttempt stop;
};
// The stop that stands behind a notice, to be sent again when the agent comes back.
Stop stop_of_notice(const Attempt& attempt);

// A member of a gang that may begin, to be told to the agent of its node.
struct Go {
    NodeId node_id;
    GoAttempt go;
};

// What a command changed: rows to store, events to append (their cursor is given by the owner),
// stops to send, and attempts that ended and are to be settled. The owner makes it durable before
// it acts.
struct Changes {
    std::set<TaskId> tasks;
    std::set<std::pair<TaskId, std::int64_t>> items;
    std::set<AttemptId> attempts;
    std::vector<Event> events;
    std::vector<Stop> stops;
    std::vector<Go> goes;
    std::vector<AttemptId> ended;    // to be settled; their capacity is free
    std::vector<AttemptId> vacated;  // members of a gang that goes on: their capacity is free
};

// Another number of replicas for a service, and why.
struct ReplicaChange {
    std::int64_t replicas = 0;
    std::string reason;  // a stable word
    std::string message;
    std::string message_zh;
    Duration drain{};
};
constexpr Duration kStopAgainAfter = 10s;

// A replica as it stands when some are to leave.
struct ReplicaStanding {
    std::int64_t item = 0;
    enum class Stage : std::uint8_t { ended, waiting, starting, ready } stage = Stage::waiting;
    ExactMoney price_per_hour;         // of its node
    std::optional<double> latency_ms;  // between its node and its users; absent: unknown
    Time since;
};
// Whether `left` leaves before `right`: what has ended, then what waits, then what starts, then
// what is ready; among equals the dearer, then the farther from its users, then the newer one.
bool before_in_leaving(const ReplicaStanding& left, const ReplicaStanding& right);

// An attempt that is active, with what it is of.
struct Running {
    const Attempt* attempt = nullptr;
    const Task* task = nullptr;
    const TaskItem* item = nullptr;
};

// One item that could start now, were there room for it.
struct Waiting {
    TaskId task_id;
    std::int64_t item = 0;
};

// All tasks of a platform with their items and attempts: the state machine of
// docs/reference/tasks.md. Pure: no clock, no I/O; one owner. Every mutator adds what it did to
// `changes`.
class Board {
  public:
    Board() = default;
    // What is active is pointed to from within.
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;

    // ---- commands
    // `task` comes with id, tenant, spec and times set; its items are made here.
    Result<void> create(Task task, Changes& changes);
    Result<void> cancel(
        TaskId id, TaskReason reason, std::string_view actor, std::string_view message, Time now,
        Changes& changes
    );
    // Runs the failed items of an ended task again; those that succeeded stay.
    Result<void> retry(TaskId id, std::string_view actor, Time now, Changes& changes);
    // The dispatcher found a place; `attempt` comes with id, placement, request and held.
    Attempt begin_attempt(
        TaskId id, std::int64_t item, Attempt attempt, Time now, Changes& changes
    );
    // The same for an item of several nodes: its members in the order of their ranks.
    std::vector<Attempt> begin_gang(
        TaskId id, std::int64_t item, std::vector<Attempt> members, Time now, Changes& changes
    );
    // The dispatcher found none: says why. An event is made only when the reason changes.
    void set_waiting(
        TaskId id, TaskReason reason, std::string message, std::string message_zh, Time now,
        Changes& changes
    );
    void set_plan(TaskId id, Plan plan, Changes& changes);
    // A task that can never run as stated.
    void reject(
        TaskId id, TaskReason reason, std::string_view message, std::string message_zh, Time now,
        Changes& changes
    );
    // An agent's word. `conflict` when the fence is old or the attempt has ended: the agent is to
    // stop it.
    Result<void> report(const AttemptReport& report, Time now, Changes& changes);
    // The node is gone: its attempts end as of `last_seen`, their items recover.
    void node_lost(NodeId node, Time last_seen, Time now, Changes& changes);
    // An attempt the agent says it does not know, although it should run there.
    void attempt_vanished(AttemptId id, Time now, Changes& changes);
    // Others are to run in its place: it is told to store a checkpoint and stop. When it has, its
    // item waits again.
    void give_way(AttemptId id, TaskId to, std::int64_t to_item, Time now, Changes& changes);
    // The same at the end of its round, for the time-shared task whose turn it is; its own where
    // nobody's is.
    void end_round(AttemptId id, TaskId to, Time now, Changes& changes);
    void set_cost(AttemptId id, Money held, Money cost, Changes& changes);
    void set_meter(AttemptId id, Metered platform, Changes& changes);
    void add_event(
        TaskId id, std::string type, std::string actor, std::string message, Time now,
        Changes& changes
    );
    // Writes an event for each share of the budget that `total` has passed since the last call.
    void check_budget_alerts(TaskId id, Money total, Time now, Changes& changes);
    void set_service(TaskId id, ServiceView service, Changes& changes);
    // ---- replicas of a service; board_replicas.cpp
    // How many are meant to run: those that neither rest nor leave.
    std::int64_t replicas(TaskId id) const;
    // Grows by replicas that leave and were not stopped yet, then by those that rest, then by new
    // ones. Shrinks in the order of before_in_leaving(): what runs gets no calls any more and is
    // stopped after `drain` at the latest, what does not run rests at once.
    void set_replicas(TaskId id, const ReplicaChange& change, Time now, Changes& changes);
    // Stops replicas that leave: when their time has come, or when `is_drained` says that they
    // carry no calls any more. Repeated every kStopAgainAfter until the agent says that it stopped.
    void stop_leaving(
        Time now, const std::function<bool(const Attempt&)>& is_drained, Changes& changes
    );
    bool is_leaving(const Attempt& attempt) const;
    // Deadlines, dependencies that failed, gangs that do not assemble.
    void tick(Time now, Changes& changes);

    // ---- reading
    const Task* find(TaskId id) const;
    // By id, "task/ID" or name (the newest of that name); nullptr when the project has none.
    const Task* resolve(ProjectId project, std::string_view reference) const;
    const std::vector<TaskItem>* items(TaskId id) const;
    const Attempt* find_attempt(AttemptId id) const;
    std::vector<const Attempt*> attempts_of(TaskId id) const;
    std::vector<const Attempt*> active_attempts() const;  // by id
    std::vector<Running> running() const;                 // the same, without a look-up for each
    std::vector<const Attempt*> active_attempts_on(NodeId node) const;
    // Whether all members of its gang were ready and none has failed.
    bool may_go(const Attempt& attempt) const;
    // Whether it is to go on: active, not canceled, and no member of its gang has failed.
    bool is_wanted(const Attempt& attempt) const;
    // The members of its try, by rank; of an attempt that is alone, itself.
    std::vector<const Attempt*> members_of(const Attempt& attempt) const;
    // Newest first.
    std::vector<const Task*> list(const std::function<bool(const Task&)>& accept) const;
    // Items that may start now: highest priority first, then oldest.
    std::vector<Waiting> waiting(Time now) const;
    // Nodes on which this item failed by the provider's fault: not to be tried first again.
    std::vector<NodeId> failed_nodes(TaskId id, std::int64_t item) const;
    // How many queued tasks stand before this one, plus one.
    std::int64_t position(TaskId id, Time now) const;

    // ---- from the store, before anything else; then finish_restore()
    void restore_task(Task task);
    void restore_item(TaskId id, TaskItem item);
    void restore_attempt(Attempt attempt);

  private:
    struct Record {
        Task task;
        std::vector<TaskItem> items;
        std::vector<AttemptId> attempts;
        std::optional<TaskReason> stopping;  // set while CANCELING
    };
    Record& at(TaskId id);
    void update_task(
        Record& record, Time now, std::string_view actor, std::string_view message, Changes& changes
    );
    void end_attempt(
        Record& record, Attempt& attempt, const AttemptReport& report, Time now, Changes& changes
    );
    void settle_item(
        Record& record, TaskItem& item, const Attempt& attempt, Time now, Changes& changes
    );
    void settle_preempted(Record& record, TaskItem& item);
    void notify(AttemptId id, PreemptionNotice notice, Time now, Changes& changes);
    static void take_outputs(Record& record, const Attempt& attempt, const AttemptReport& report);
    // Of a gang alone.
    std::vector<Attempt*> gang_of(const Attempt& attempt);
    static TaskState slowest_of(const std::vector<Attempt*>& members);
    void member_ready(Record& record, Attempt& attempt, Time now, Changes& changes);
    void stop_members(const Attempt& cause, Changes& changes);
    void member_ended(Record& record, Attempt& attempt, Time now, Changes& changes);
    void gang_ended(
        Record& record, const std::vector<Attempt*>& members, Time now, Changes& changes
    );
    void end_unassembled(Time now, Changes& changes);
    bool may_start(const Record& record, Time now) const;
    enum class Prospect : std::uint8_t { open, met, broken };
    Prospect prospect_of(const Record& record, const Dependency& dependency) const;
    // A replica of a service that is not needed: it holds nothing and waits for nothing.
    void rest(Record& record, TaskItem& item);
    static void rest_from(Task& task, std::vector<TaskItem>& items, std::int64_t first);
    ReplicaStanding standing_of(const TaskItem& item) const;
    void grow(Record& record, std::int64_t by, Changes& changes);
    void shrink(Record& record, std::int64_t by, Duration drain, Time now, Changes& changes);
    void stop_attempts(Record& record, TaskReason reason, bool checkpoint_first, Changes& changes);

    std::map<TaskId, Record> records_;
    std::map<AttemptId, Attempt> attempts_;
    std::set<TaskId> open_;  // not terminal
    struct Active {
        const Attempt* attempt = nullptr;
        const Record* record = nullptr;
    };
    std::map<AttemptId, Active>
        active_;  // into records_ and attempts_, of which nothing is removed
    std::map<std::pair<ProjectId, std::string>, TaskId> newest_by_name_;
};

}  // namespace penstock::tasks
