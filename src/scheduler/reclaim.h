// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "scheduler/fair_queue.h"
#include "scheduler/reservations.h"

// Who gives way, so that work which does not fit can start.
namespace penstock::scheduler {

// From the notice to the kill; a checkpoint is stored in it.
constexpr Duration kPreemptionGrace = 30s;
// Work that gave way is left alone for so long after it runs again: nobody is sent to and fro.
constexpr Duration kPreemptionQuiet = 10min;

// Work that runs and might give way.
struct Resident {
    std::uint64_t id = 0;  // of the owner's choosing
    Tenant tenant;
    ResourceRequest request;
    std::int64_t priority = 0;
    bool preemptible = false;
    bool spot = false;
    Duration unsaved{};               // running time since its last checkpoint
    std::optional<Time> quiet_until;  // it gave way before
    bool leaves = false;              // it was told to already
};

// Work that waits and might have others give way.
struct Asker {
    WorkId work = 0;
    Tenant tenant;
    std::int64_t priority = 0;
    bool spot = false;
    std::optional<Amounts> of_all = {};  // of a gang: what all members ask for
};

// By what right one asks another to leave.
//   spot: what is paid in full goes before spot work of any tenant.
//   priority: in one project the higher one goes before the lower one; spot work only before spot
//     work.
//   guarantee: a tenant takes back what it lent (FairQueue::may_reclaim); not for spot work.
// `part` is what the resident's side would give up in all.
enum class Claim : std::uint8_t { none, spot, priority, guarantee };
Claim claim_on(
    const FairQueue& queue, const Asker& asker, const Amounts& asked, const Resident& resident,
    const Amounts& part
);

struct Reclaim {
    std::vector<Place> places;  // one, or one for each member of a gang
    std::vector<Resident> victims;
    std::vector<Claim> claims;  // by victim
};

// Of the places the one whose victims are the least: spot work before all other, the lowest of the
// highest priorities, the least work lost (devices × time since the checkpoint), the least left
// over; then the first. Only residents with a claim on them leave, and only who has to. `free` and
// `residents` are of each node that a place names. nullopt: no place can be cleared by right.
struct NodeResidents {
    Capacity free;
    std::vector<Resident> residents;
    std::vector<ResourceRequest> promised;  // to others, of what is free and of who leaves
};
// For a gang each node is cleared by itself, the least first, until `together` finds a whole; then
// those are cleared with one count of what each side gives up. All leave, or none is told to.
std::optional<Reclaim> plan_reclaim(
    const FairQueue& queue, const Asker& asker, const std::vector<Place>& places,
    const std::map<NodeId, NodeResidents>& nodes, Time now, const Together& together = nullptr
);

}  // namespace penstock::scheduler
