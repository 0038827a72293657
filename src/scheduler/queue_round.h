// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <vector>

#include "scheduler/reclaim.h"

namespace penstock::scheduler {

constexpr std::size_t kReclaimsPerRoundMax = 4;
constexpr std::size_t kReclaimSearchesPerRoundMax =
    16;  // each looks at all residents of its places

// An item that waits. `group` is its task: where one item finds no room, no other of its task does.
struct QueueItem {
    WorkId work = 0;
    std::uint64_t group = 0;
    Tenant tenant;
    std::int64_t priority = 0;
    bool spot = false;
    ResourceRequest request;          // what it is counted with
    std::optional<Duration> at_most;  // that it runs, for all that is known; absent: unknown
    std::int64_t nodes = 1;           // of a gang more; `request` is then that of all members
};

enum class Started : std::uint8_t {
    yes,
    no_room,
    kept,   // there is room, and it is promised to others
    other,  // the yard has said why: it waits for something else, or never starts
};

// Why an item was not started, as far as the queue knows.
struct WaitCause {
    std::optional<TenantLimit> limit;
    bool kept = false;
    const Reservation* promise = nullptr;  // what it was promised instead; borrowed for the call
};

// Where work runs, as the queue sees it. The server and the simulation have one each.
class Yard : public NodeBook {
  public:
    // Starts it where that breaks no promise: see Reservations::disturbed_by.
    virtual Started start(const QueueItem& item, const Reservations& promises) = 0;
    // Where it, or a member of it, could start were all else gone, as things are and last.
    virtual std::vector<Place> suited(const QueueItem& item) = 0;
    // Of places, best first, those that a gang would take: Together.
    virtual std::optional<std::vector<Place>> together(
        const QueueItem& item, const std::vector<Place>& places
    ) = 0;
    // Who leaves for it: plan_reclaim() over every place where it could run.
    virtual std::optional<Reclaim> reclaim(
        const QueueItem& item, const FairQueue& queue, const Reservations& promises
    ) = 0;
    // Tells the victims to leave; their room is promised to the item already.
    virtual void give_notice(const QueueItem& item, const Reclaim& reclaim) = 0;
    virtual void wait(const QueueItem& item, const WaitCause& cause) = 0;
};

// What the queue does beside the fair order; all of it, but for comparisons.
struct QueueRules {
    bool pass = true;     // what comes behind an item without room may start
    bool promise = true;  // room is promised to what does not fit
    bool reclaim = true;  // lesser work gives way
};

// One pass over what waits, in the order of the fair queue: starts what can start, promises room to
// what cannot, lets lesser work make room for it, and starts what comes behind where that breaks no
// promise.
class QueueRound {
  public:
    // The queue holds quotas and what runs, without what was told to leave; its items are added
    // here. `items` are oldest first within a tenant.
    QueueRound(
        FairQueue& queue, Reservations& promises, std::vector<QueueItem> items, Yard& yard,
        std::size_t starts_max, QueueRules rules = {}
    );
    // True: `starts_max` were started, there may be more to start.
    bool run(Time now);

  private:
    void start_promised();
    // False: nothing behind it may start.
    bool pass(const QueueItem& item, Time now);
    void make_room(const QueueItem& item, Time now);
    bool reclaim(const QueueItem& item, Time now);
    Together together_of(const QueueItem& item);
    bool starts_soon(const QueueItem& item, Time now) const;

    FairQueue& queue_;
    Reservations& promises_;
    std::vector<QueueItem> items_;
    Yard& yard_;
    std::size_t starts_left_;
    QueueRules rules_;
    std::size_t reclaims_left_ = kReclaimsPerRoundMax;
    std::size_t searches_left_ = kReclaimSearchesPerRoundMax;
    std::set<std::uint64_t> stuck_;
};

}  // namespace penstock::scheduler
