// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/decision.h"
#include "scheduler/fair_queue.h"
#include "scheduler/gang.h"
#include "scheduler/reservations.h"

// Who gives way, so that work which does not fit can start.
namespace penstock::scheduler {

// From the notice to the kill; a checkpoint is stored in it.
constexpr Duration kPreemptionGrace = 30s;
// Work that gave way is left alone for so long after it runs again: nobody is sent to and fro.
constexpr Duration kPreemptionQuiet = 10min;
// Places, or cells, that cost the same are told apart by the fragments they leave; so many of them.
constexpr std::size_t kEqualCostsWeighed = 64;

// Work that runs and might give way.
struct Resident {
    std::uint64_t id = 0;  // of the owner's choosing
    Tenant tenant;
    const ResourceRequest* request = nullptr;  // what it holds; borrowed, set always
    std::int64_t priority = 0;
    bool preemptible = false;
    bool spot = false;
    Duration unsaved{};               // running time since its last checkpoint
    std::optional<Time> quiet_until;  // it gave way before
    bool leaves = false;              // it was told to already
};

// Work that waits and might have others give way.
struct Asker {
    Tenant tenant;
    std::int64_t priority = 0;
    bool spot = false;
    std::optional<Amounts> of_all = {};  // of a gang: what all members ask for
};

// By what right `resident` may be asked to leave. `is_lent()`: whether what it holds is the asker's
// by a guarantee; asked only where nothing else gives a right.
Claim claim_on(const Asker& asker, const Resident& resident, const std::function<bool()>& is_lent);

// Whether there could be any, whoever else leaves: the asker takes one of `asked` in all.
bool may_claim(
    const FairQueue& queue, const Asker& asker, const std::vector<Amounts>& asked,
    const Resident& resident
);

// A node as it would be: some have left it, others have come. Leaves no trace on the node.
class NodeOverlay {
  public:
    NodeOverlay() = default;
    NodeOverlay(const NodeOverlay&) = delete;
    NodeOverlay& operator=(const NodeOverlay&) = delete;
    virtual ~NodeOverlay() = default;
    // Who is there as the node is now; valid as long as this is.
    virtual std::span<const Resident> residents() const = 0;
    virtual void leave(const Resident& resident) = 0;  // one of residents()
    virtual void stay(const Resident& resident) = 0;   // after all: takes leave() back
    virtual void take(const ResourceRequest& request) = 0;
    // Devices and their links included.
    virtual bool fits(const ResourceRequest& request) const = 0;
    // How much more of the node the work to come could not use once the request is there as well:
    // in a unit of the owner's, the same for all nodes. Smaller is better.
    virtual std::int64_t fragments_grown(const ResourceRequest& request) const = 0;
};

// Of a node whose owner knows amounts only; what is left over counts as fragments.
class AmountsOverlay final : public NodeOverlay {
  public:
    AmountsOverlay(const Capacity& free, std::vector<Resident> residents)
        : free_(amounts_of(free)), residents_(std::move(residents)) {}
    std::span<const Resident> residents() const override { return residents_; }
    void leave(const Resident& resident) override { free_.add(amounts_of(*resident.request)); }
    void stay(const Resident& resident) override { free_.add(amounts_of(*resident.request), -1); }
    void take(const ResourceRequest& request) override { free_.add(amounts_of(request), -1); }
    bool fits(const ResourceRequest& request) const override;
    std::int64_t fragments_grown(const ResourceRequest& request) const override;

  private:
    Amounts free_;
    std::vector<Resident> residents_;
};

// Where work could run and who is there.
struct ReclaimGround {
    std::vector<Place> places;  // best first
    // Of a gang: where members may lie, and by place where it stands. Without rules: one place.
    std::optional<GangRules> gang;
    std::vector<Seat> seats;
    std::map<NodeId, std::vector<ResourceRequest>>
        promised;  // to others: of what is free or leaves
    // Of the node of that place, as it is now. Made for each look, so that only those that are
    // being weighed are in memory; the same each time.
    std::function<std::unique_ptr<NodeOverlay>(std::size_t place)> overlay;
};

struct Reclaim {
    std::vector<Place> places;      // one, or one for each member of a gang
    std::vector<Resident> victims;  // their requests are borrowed from the owner of the work
    std::vector<Claim> claims;      // by victim
    GangLevel level{};              // of a gang: of the cell it gets
};

// Makes room by having residents leave that the asker has a claim on, and only those that have to:
// all of them together or nobody. Of the places the one whose victims are the least, in this order:
// spot work before all other, the lowest of the highest priorities, the least work lost (devices ×
// time since the checkpoint), the least fragments grown; then the first. For a gang the same over
// cells: the smallest kind of cell that its rules allow and that can be cleared, and of these the
// one that costs the least. nullopt: nothing can be cleared by right.
std::optional<Reclaim> plan_reclaim(
    const FairQueue& queue, const Asker& asker, const ReclaimGround& ground, Time now
);

}  // namespace penstock::scheduler
