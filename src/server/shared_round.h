// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scheduler/fair_queue.h"
#include "scheduler/reservations.h"
#include "server/platform.h"
#include "timeshare/round_plan.h"

// The platform as one round of time sharing sees it: made of the board and the fleet each time, so
// a restart knows what the process before it knew.
namespace penstock::server {

constexpr std::size_t kApplicantsMax = 500;  // of one round, the oldest; others wait for the next
// From the notice at the end of a round until the devices are free, at most.
constexpr Duration kRoundEndMax = tasks::kPreemptionCheckpointMax + tasks::kPreemptionGrace;

// Rounds begin at whole multiples of their length since the epoch.
std::int64_t round_at(const Platform& platform);
Time end_of_round(const Platform& platform);

struct PoolKey {
    SiteId site;
    std::string model;
    auto operator<=>(const PoolKey&) const = default;
};

// A task's turn: it is to run on a pool in this round. `node` is where the room for it was found.
struct Turn {
    PoolKey pool;
    NodeId node;
    ResourceRequest request;
};

// Steps a second on each model, divided by the highest; where they are from, for people.
struct SharedRates {
    std::map<std::string, double> stated;      // as they were stated or learned; empty: unknown
    std::map<std::string, double> normalised;  // 1 for every model where unknown
    std::string from;                          // stated, history, unknown
    double rate_min = 0;                       // normalised likewise
};
SharedRates shared_rates(const Platform& platform, const Task& task);

// Time that a task ran on each pool since `since`.
std::map<PoolKey, Duration> received_by(const Platform& platform, TaskId task, Time since);
// timeshare::counted_since() of all time-shared tasks.
Time shared_times_counted_since(const Platform& platform);

struct TurnOf {
    const Task* task = nullptr;
    Turn turn;
};

// What is planned anew, and what is not touched.
struct RoundScope {
    std::vector<const Task*> waiting;
    std::vector<const Attempt*> movable;  // they run, and may be told to leave
    std::vector<const Attempt*> leaving;  // their round is over; their devices are given out
    std::vector<TurnOf> open;             // given before; their tasks have not started yet
    const scheduler::Reservations& promises;
    Time end;  // of the round
};

struct SharedApplicant {
    const Task* task = nullptr;
    const Attempt* attempt = nullptr;  // of one that runs
    std::map<PoolKey, ResourceRequest> requests;
};

struct SharedRound {
    timeshare::RoundQuestion question;
    std::vector<PoolKey> pools;               // by kind
    std::vector<NodeId> nodes;                // by node
    std::vector<SharedApplicant> applicants;  // by applicant
    std::vector<TaskId> homeless;             // no node could ever take it as things are
    Time counted_since;
    Turn turn_in(std::size_t applicant, std::size_t room) const;
};
SharedRound shared_round(const Platform& platform, const RoundScope& scope);

// Quotas, and what is held but by those whose round it is.
class SharedQuotas final : public timeshare::Allowed {
  public:
    SharedQuotas(const Platform& platform, const RoundScope& scope, const SharedRound& round);
    void begin() override { queue_ = others_; }
    bool take(std::size_t applicant, std::size_t kind) override;
    // Of an applicant that was refused.
    std::optional<scheduler::TenantLimit> limit_of(std::size_t applicant) const;

  private:
    const SharedRound& round_;
    scheduler::FairQueue others_;
    scheduler::FairQueue queue_;
    std::map<std::size_t, scheduler::TenantLimit> hit_;
};

}  // namespace penstock::server
