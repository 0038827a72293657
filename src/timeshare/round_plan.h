// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "timeshare/sharer.h"

// One round of a platform that runs: policies decide over kinds, devices stand in nodes, and what a
// job received is known from what ran. Nothing is kept from round to round, so nothing is lost.
namespace penstock::timeshare {

// Devices of one kind on one node, free or held by applicants of this round.
struct Room {
    std::size_t node = 0;  // index into RoundQuestion::nodes
    std::size_t kind = 0;
    std::int64_t devices = 0;
};

// What a node has beside devices, free or held by applicants.
struct NodeRoom {
    std::int64_t cpu_milli = 0;
    std::int64_t memory_mib = 0;
};

// A job that waits for a round, or that runs and may be told to leave.
struct Applicant {
    Job job;                         // rates by kind
    std::vector<double> received_s;  // by kind, since times are counted
    std::optional<std::size_t> at;   // the room that it is in
    std::vector<std::size_t> rooms;  // that could take it were they empty; sorted
    NodeRoom needs;                  // beside its devices
    double received_sum() const;
};

struct RoundQuestion {
    std::string_view policy;
    double move_s = 0;
    double counted_s = 0;     // since times are counted
    std::vector<Kind> kinds;  // devices are counted from the rooms
    std::vector<NodeRoom> nodes;
    std::vector<Room> rooms;
    std::vector<Applicant> applicants;
};

// What applicants' tenants may hold.
class Allowed {
  public:
    virtual ~Allowed() = default;
    virtual void begin() = 0;  // nobody has been granted anything
    // Counts a grant, unless a limit forbids it.
    virtual bool take(std::size_t applicant, std::size_t kind) = 0;
};

struct RoundPlan {
    std::vector<std::optional<std::size_t>> rooms;  // by applicant; absent: it waits
    std::vector<bool> limited;                      // by applicant: its tenant's limit forbids it
    bool rates_unmet = false;  // gavel-cost: least rates could not all be met and were left out
};

// Policies that need nothing of a job but its rates, and answer while a server waits.
std::vector<std::string_view> live_policies();
Result<void> check_live_policy(std::string_view name);

// Whose devices are whose in the coming round. Who has waited for kPatienceS comes first; then the
// policy shares what there is; whoever finds no node with as many devices, or whose tenant may hold
// no more, makes place for others, at most kRevisionsMax times. An applicant stays in its room
// where its grant is of that kind and nobody impatient needs it.
Result<RoundPlan> plan_round(const RoundQuestion& question, Allowed& allowed);
constexpr int kRevisionsMax = 8;

// Since when received time counts: times are forgotten when a job comes or goes, but not more often
// than Rounds::kForgetAfter. `changes`: when jobs came and went, in any order.
Time counted_since(std::vector<Time> changes);

}  // namespace penstock::timeshare
