// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/random.h"
#include "scheduler/profile.h"
#include "scheduler/start_estimate.h"
#include "sim/queue.h"

namespace penstock::sim {

// One job of a replay.
struct QueueJob {
    scheduler::QueueItem item;
    std::size_t task = 0;  // in the trace
    Duration left{};       // still to run
    bool preemptible = false;
    std::optional<std::size_t> node;
    ResourceRequest holds;
    Time arrived;
    Time started;
    std::optional<Time> first_started;
    std::optional<Time> leaves_at;
    std::int64_t preemptions = 0;
    bool done = false;
    scheduler::WaitQuantiles foretold;     // as people would be told
    std::optional<Duration> foretold_raw;  // the expected wait before it was corrected
    bool was_foretold = false;
};

// The place of a replay: nodes, jobs and virtual time. What scheduler::QueueRound asks for is
// answered from here; what happens with time is done by the owner through advance_to().
class ReplayYard final : public scheduler::Yard {
  public:
    ReplayYard(std::vector<Capacity> nodes, const QueueTrace& trace, const QueueOptions& options);
    ReplayYard(const ReplayYard&) = delete;
    ReplayYard& operator=(const ReplayYard&) = delete;

    // False: it fits no node.
    bool arrive(std::size_t task, Time at);
    // When the next run ends, by itself or because it was told to.
    std::optional<Time> next_end() const;
    void end_until(Time at);
    void round(const scheduler::QueueRules& rules, scheduler::Reservations& promises, Time at);
    // Of a job that waits, in the order of the queue.
    scheduler::WaitQuantiles foretell(std::size_t job) const;

    const std::vector<QueueJob>& jobs() const { return jobs_; }
    std::vector<QueueJob>& jobs() { return jobs_; }
    std::size_t waiting() const { return waiting_.size(); }
    std::size_t evictions() const { return evictions_; }
    double device_seconds_lost() const { return device_seconds_lost_; }
    double device_seconds_used() const { return device_seconds_used_; }
    Time last_end() const { return last_end_; }

    // ---- scheduler::Yard
    Capacity total(NodeId node) const override;
    std::vector<scheduler::Held> held(NodeId node) const override;
    scheduler::Started start(
        const scheduler::QueueItem& item, const scheduler::Reservations& promises
    ) override;
    std::vector<scheduler::Place> suited(const scheduler::QueueItem& item) override;
    std::optional<std::vector<scheduler::Place>> together(
        const scheduler::QueueItem& item, const std::vector<scheduler::Place>& places
    ) override;
    std::optional<scheduler::Reclaim> reclaim(
        const scheduler::QueueItem& item, const scheduler::FairQueue& queue,
        const scheduler::Reservations& promises
    ) override;
    void give_notice(const scheduler::QueueItem& item, const scheduler::Reclaim& reclaim) override;
    void wait(const scheduler::QueueItem&, const scheduler::WaitCause&) override {}

  private:
    struct Node {
        NodeId id;
        Capacity total;
        Capacity free;
        std::string model;  // of its devices
        std::vector<std::size_t> jobs;
    };
    using End = std::pair<Time, std::size_t>;

    std::vector<scheduler::Resident> residents_on(const Node& node) const;
    std::optional<ResourceRequest> request_on(const Node& node, const QueuedTask& task) const;
    QueueJob& job_of(const scheduler::QueueItem& item) { return jobs_[item.work - 1]; }
    std::size_t index_of(NodeId node) const { return numbers_.at(node); }
    Time end_of(const QueueJob& job) const;
    void stop(std::size_t job);
    scheduler::FairQueue fair_queue() const;
    const scheduler::RunTimes& times_of(const QueueJob& job) const;
    scheduler::RunTimes times_left(const QueueJob& job) const;
    std::vector<std::size_t> order_until(std::size_t job) const;
    void learn(const QueueJob& job);

    const QueueTrace& trace_;
    const QueueOptions& options_;
    Time now_;
    SeededRandom random_;
    IdSource ids_{random_};
    std::vector<Node> nodes_;
    std::map<NodeId, std::size_t> numbers_;
    std::vector<scheduler::Tenant> tenants_;
    std::vector<TenantRules> rules_;  // by tenant
    std::vector<QueueJob> jobs_;
    std::set<std::pair<std::int64_t, std::size_t>> waiting_;  // by −priority, then arrival
    std::set<End> ends_;
    scheduler::History history_;
    std::vector<scheduler::RunTimes> times_;  // by workload
    std::size_t evictions_ = 0;
    double device_seconds_lost_ = 0;
    double device_seconds_used_ = 0;
    Time last_end_;
};

}  // namespace penstock::sim
