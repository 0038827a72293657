// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "scheduler/queue_round.h"
#include "scheduler/run_times.h"
#include "server/leavers.h"
#include "server/platform.h"

// The platform as the queue of scheduler/queue_round.h sees it, for one round.
namespace penstock::server {

// What an item counts with against quotas: of a gang all that its members take.
ResourceRequest counted_request(const TaskSpec& spec);
// Of an item; the same from round to round and from process to process.
scheduler::WorkId work_of(TaskId task, std::int64_t item);
// Quotas, and what every tenant holds; what was told to leave no longer counts.
scheduler::FairQueue fair_queue(const Platform& platform);

class QueueYard final : public scheduler::Yard {
  public:
    // Starts an item where that breaks no promise; says with explain() why it found no room.
    using Start =
        std::function<scheduler::Started(const tasks::Waiting&, const scheduler::QueueItem&)>;
    // A reclaim as it was decided: what was asked, and what came of it. `record` is told within the
    // change that gives notice.
    using Ask = std::function<DecisionQuestion(const tasks::Waiting&)>;
    using Record =
        std::function<void(Change&, const tasks::Waiting&, DecisionQuestion, DecisionAnswer)>;
    struct Hooks {
        Start start;
        Ask ask;
        Record record;
    };
    QueueYard(Platform& platform, const std::vector<tasks::Waiting>& waiting, Hooks hooks);

    std::vector<scheduler::QueueItem> items() const { return items_; }
    const scheduler::QueueItem& item(scheduler::WorkId work) const;
    const tasks::Waiting& waiting(scheduler::WorkId work) const { return waiting_.at(work); }
    // Promises that notices stand for and a process before this one made.
    void restore(scheduler::Reservations& promises) const;
    // Why the item found no room; part of what is said of it.
    void explain(scheduler::WorkId work, std::string en, std::string zh);

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
    void wait(const scheduler::QueueItem& item, const scheduler::WaitCause& cause) override;

  private:
    const std::vector<const Attempt*>& attempts_on(NodeId node) const;
    std::string names_of(const std::vector<scheduler::Place>& places) const;
    const scheduler::RunTimes& times_of(
        const Task& task, const std::optional<Accelerator>& accelerator
    ) const;

    Platform& platform_;
    Hooks hooks_;
    std::vector<scheduler::QueueItem> items_;
    std::map<scheduler::WorkId, tasks::Waiting> waiting_;
    std::map<scheduler::WorkId, std::pair<std::string, std::string>> said_;
    struct Decided {
        DecisionQuestion question;
        DecisionAnswer answer;
    };
    std::map<scheduler::WorkId, Decided> reclaims_;  // found, and notice is still to be given
    std::optional<Leavers> leavers_;                 // absent: not asked for since the last start
    mutable std::map<NodeId, std::vector<const Attempt*>> on_node_;
    // By task and accelerator: to look them up costs a hash.
    mutable std::map<std::pair<TaskId, std::string>, scheduler::RunTimes> times_;
    mutable std::uint64_t starts_ = 0;  // since on_node_ was made
    mutable std::uint64_t on_node_at_ = ~std::uint64_t{0};
};

// What a limit says, for programs.
QuotaBlock quota_block(
    const Platform& platform, const Task& task, const scheduler::TenantLimit& limit
);

}  // namespace penstock::server
