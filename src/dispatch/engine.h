// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dispatch/pool.h"
#include "fleet/fleet.h"
#include "model/decision.h"
#include "placement/fragmentation.h"
#include "scheduler/alike_supplies.h"
#include "scheduler/reclaim.h"
#include "scheduler/scheduler.h"

namespace penstock::dispatch {

// A platform of at most so many nodes shows each of them in a plan; a larger one the pick of each
// pool, or one node of each kind of refusal.
constexpr std::size_t kNodesShownMax = 32;
// The newest requests placed: what policies that weigh fragments take for the workload to come.
constexpr std::size_t kRecentRequestsMax = 1024;
// They are taken each time they are so many times more; once they are all there, compared after
// every so many more and taken if they drifted, and taken anyway after so many. Weighing fragments
// by others means scoring every node anew for every request.
constexpr std::size_t kWorkloadGrowth = 4;
constexpr std::size_t kRecentRequestsRefresh = 512;
constexpr std::size_t kWorkloadAnew = 32'768;

// A start later than now leaves so much until the deadline, beyond what the run takes at most: for
// setting up, for waiting when the place is taken meanwhile.
constexpr Duration kDeadlineMargin = 30min;

// Places looked at for room that others could leave.
constexpr std::size_t kReclaimPlacesMax = 65'536;

// As scheduler::plan() takes it; the source of staged bytes lies in `runs`.
scheduler::Profile profile_of(const KnownRuns& runs);
KnownRuns runs_of(const scheduler::Profile& profile);

// All that decisions are made from, kept up to date by increments. One owner, one thread; told by
// the fleet. Reads make scores that are kept, so they are not const.
//
//     engine hears of every change by fleet.tell(engine);
//     const DecisionAnswer answer = engine.decide(question);
//     for (hold : engine.holds_of(answer)) fleet.hold(…)      // checks again, tells the engine
class Engine final : public fleet::Listener {
  public:
    Engine() = default;
    // As it was: decides from here on as the engine did whose state() this is.
    explicit Engine(const DecisionState& state);
    DecisionState state() const;
    // A site's states are referred to from within.
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // ---- what changes
    void site_put(const Site& site) override;
    void outlook_put(const SiteOutlook& outlook) override;
    void node_put(const Node& node) override;
    void held(AttemptId attempt, const fleet::CapacityHold& hold) override;
    void released(AttemptId attempt) override;
    // Work ended: how often such work had to start again there by now.
    void restarts_put(const RestartHistory& history);

    // ---- decisions
    // What is to be done; nothing is held by it. A task of several nodes is decided as a whole. Of
    // a question that asks who leaves for the task, only that.
    DecisionAnswer decide(const DecisionQuestion& question);
    // What an answer that is feasible takes: one hold, or one of each member by rank.
    std::vector<fleet::CapacityHold> holds_of(const DecisionAnswer& answer) const;
    // The best node of one pool: a site's nodes with that accelerator, or all of them for none.
    std::optional<Pick> pick(
        SiteId site, const ResourceRequest& request, const std::vector<NodeId>& avoid
    );

    // Where a task, or each member of its gang, could run were all else gone, as things are and
    // last: the best first, `most` at most.
    std::vector<scheduler::Place> suited(const DecisionQuestion& question, std::size_t most) const;

    // Ready to be asked; null: the site has no such pool.
    Pool* pool(SiteId site, std::string_view sku);
    const Host* find(NodeId id) const;
    std::size_t nodes() const { return host_of_.size(); }
    const Capacity& total() const { return total_; }  // of all nodes
    // How often something changed: the same number of the same inputs is the same state.
    std::uint64_t position() const { return position_; }
    // How often something changed that is known of sites; no part of the state.
    std::uint64_t site_changes() const { return site_changes_; }
    // How often work had to start again at the site; null: nothing is known.
    const scheduler::SiteRestarts* restarts_of(SiteId site) const;
    // What is known of the site's hours to come; null: nothing.
    const scheduler::Outlook* outlook_of(SiteId site) const;
    void go_on_after(std::uint64_t position) { position_ = std::max(position_, position + 1); }

  private:
    struct SiteState {
        Site site;
        std::map<std::pair<std::string, NodeId>, Host> hosts;  // the order of ties
        std::map<std::string, Pool, std::less<>> pools;        // by SKU
        std::optional<scheduler::Outlook> outlook;             // of its hours to come
        // Its nodes that take new work, as suited() last sorted them: for requests whose devices
        // need not be linked, and for those whose devices do. Absent: something changed since.
        using Alike = std::optional<std::vector<scheduler::AlikeSupplies>>;
        mutable std::array<Alike, 2> alike;
    };
    struct Choice {
        const Accelerator* asked = nullptr;
        ResourceRequest request;
    };
    static scheduler::Input input_of(const DecisionQuestion& question);  // which outlives it
    static bool can_ever(const Host& host, const Accelerator& asked);
    static std::vector<Choice> choices_of(const TaskSpec& spec);  // which outlives them
    SiteState* site_of(SiteId id);
    void refresh(
        SiteState& site, const Host& host, Pool::Cause cause, const fleet::CapacityHold& task
    );
    // Null where no node of the site is of that SKU now, whatever was before.
    Pool* ready_pool(SiteState& site, std::string_view sku);
    PoolParts parts_of(const SiteState& site, const Pool& pool) const;
    PoolTerms terms_of(
        const SiteState& site, std::string_view sku,
        const std::map<std::string, std::uint8_t>& models
    ) const;
    std::vector<placement::WorkloadShape> workload_for(
        const std::map<std::string, std::uint8_t>& models
    ) const;
    void remember(const ResourceRequest& request);
    bool is_workload_due() const;

    // By site and the accelerator asked for, which lies in the spec.
    using Picks = std::map<std::pair<SiteId, const Accelerator*>, Pick>;
    std::vector<const Host*> hosts_of(const SiteState& site, const std::vector<NodeId>& ids) const;
    static scheduler::Supply supply_of(
        const SiteState& site, const Host& host, const Choice& choice
    );
    static void add_all(
        const SiteState& site, const std::vector<Choice>& choices, const Picks& picks,
        scheduler::Input& input
    );
    // Nodes that one supply each stands for.
    using Peers = std::deque<std::vector<const Node*>>;
    DecisionAnswer decide_gang(const DecisionQuestion& question) const;
    static void add_alike(
        const SiteState& site, const std::vector<Choice>& choices, const std::vector<NodeId>& avoid,
        Peers& peers, scheduler::Input& input
    );
    static const std::vector<scheduler::AlikeSupplies>& alike_in(
        const SiteState& site, bool linked
    );
    // Where work could run and who is there, as the question names them; which outlives it.
    struct Ground;
    void fill(Ground& ground, const DecisionQuestion& question);
    DecisionAnswer decide_reclaim(const DecisionQuestion& question);
    void add_few(
        SiteState& site, const std::vector<Choice>& choices, const Picks& picks,
        scheduler::Input& input
    );

    HostKinds kinds_;
    std::map<SiteId, SiteState> sites_;
    std::map<SiteId, scheduler::SiteRestarts> restarts_;
    std::unordered_map<NodeId, std::pair<SiteState*, Host*>> host_of_;
    std::map<AttemptId, Host*> held_by_;
    Capacity total_;
    std::deque<ResourceRequest> recent_;
    std::vector<ResourceRequest> workload_;  // `recent_` as it was when last taken
    std::size_t since_taken_ = 0;            // requests
    std::uint64_t position_ = 0;
    std::uint64_t site_changes_ = 0;
};

}  // namespace penstock::dispatch
