// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "model/ids.h"
#include "scheduler/calendar.h"

// Room that is promised to work which is ahead in the queue and does not fit yet. What comes behind
// it may start beside it or ends before it: that is backfill.
namespace penstock::scheduler {

constexpr std::size_t kReservationsMax = 8;           // beyond: work waits without a promise
constexpr std::size_t kReservationsPerTenantMax = 2;  // so that one tenant does not take all
// Where nobody knows when a node is free, one node at a time is emptied, for so long; if it is not
// free then, nothing is emptied for a while: what runs there may go on for days.
constexpr Duration kEmptyingMax = 1h;
constexpr Duration kEmptyingRest = 12h;
// From now on, where nothing better is known. Far beyond any plan, near enough to add to.
constexpr Duration kForEver = std::chrono::hours(24 * 365 * 50);

using WorkId = std::uint64_t;  // of the owner's choosing; an item that waits

// A node that could take some work, and what that would ask of it.
struct Place {
    NodeId node;
    ResourceRequest request;
    bool operator==(const Place&) const = default;
};

// What some running work holds of a node.
struct Held {
    ResourceRequest request;
    Time since;
    std::optional<Time> ends;  // expected, after now; absent: unknown
    bool leaves = false;       // was told to stop, for a promise
};
// How a node stands: its owner answers for every node that it names in a place.
class NodeBook {
  public:
    virtual ~NodeBook() = default;
    virtual Capacity total(NodeId node) const = 0;
    virtual std::vector<Held> held(NodeId node) const = 0;
};

struct Reservation {
    WorkId work = 0;
    OrganisationId organisation;
    std::vector<Place> places;  // one; of a gang one for each member, on different nodes
    Time made_at;
    std::optional<Time> start;     // expected; absent: when those that hold the node have left it
    std::optional<Duration> span;  // at most; absent: unknown
    bool by_notice = false;        // others were told to leave for it
};

// Of places, best first, those that a gang takes together by its rules of where members may lie;
// nullopt: they hold no whole gang. Empty for work of one node.
using Together = std::function<std::optional<std::vector<Place>>(const std::vector<Place>&)>;

// A value; the owner of the queue keeps it from round to round. A promise stands until its work
// starts or no longer waits, whoever comes to be ahead of it meanwhile; of two promises the older
// one goes first, so that they never wait for each other, but work that starts before its time or
// elsewhere than promised takes nothing of a younger one. Only work for which others were told to
// leave goes before it.
class Reservations {
  public:
    // Renews what the work was promised, or makes the promise: the place, or the places together,
    // where it can start first. Where that is known of none, they are emptied for it. Null: no more
    // promises can be made, or `suited` do not hold it.
    const Reservation* reserve(
        const Reservation& wanted, const std::vector<Place>& suited, Time now, const NodeBook& book,
        const Together& together = nullptr
    );
    // Others are leaving places of it.
    void promise(Reservation reservation);
    void drop(WorkId work);
    // Forgets what is promised to work that is not among `waiting` (sorted).
    void keep_only(const std::vector<WorkId>& waiting);
    // Whether starting `request` there now, for `span` at most, would break a promise to others.
    bool disturbed_by(
        WorkId work, const Place& place, std::optional<Duration> span, Time now,
        const NodeBook& book
    ) const;
    // What is promised to others by notice; what leaves those nodes is theirs.
    std::vector<Place> given_by_notice(WorkId work) const;
    const Reservation* find(WorkId work) const;
    // Whether the work has a promise, or one could be made.
    bool has_room_for(WorkId work, OrganisationId organisation) const;
    const std::vector<Reservation>& all() const { return all_; }

  private:
    struct Option;
    // Whose promises are counted beside those of older work: of a place and time that are the
    // work's own, no others.
    enum class Beside : std::uint8_t { older, all };
    std::optional<Time> earliest(
        const Reservation& wanted, Beside beside, Time now, const NodeBook& book
    ) const;
    std::vector<Option> options_of(
        const Reservation& wanted, const std::vector<Place>& suited, Beside beside, Time now,
        const NodeBook& book
    ) const;
    static std::vector<Time> later_times(
        const std::vector<Option>& options, Time time, const Reservation& wanted
    );
    bool find_earliest(
        Reservation& wanted, const std::vector<Option>& options, const Together& together
    ) const;
    bool find_emptiest(
        Reservation& wanted, std::vector<Option> options, const NodeBook& book,
        const Together& together
    ) const;
    struct Promised {
        const Reservation* to = nullptr;
        const Place* place = nullptr;
    };
    // Promises of that node to other work; those that are older than its own, or all.
    std::vector<Promised> to_others(NodeId node, WorkId work, Beside beside) const;
    Calendar calendar(NodeId node, WorkId work, Beside beside, Time now, const NodeBook& book)
        const;
    // It may start there now whatever younger promises say.
    bool is_its_turn(WorkId work, const Place& place, Time now) const;

    bool may_empty(Time now) const;

    std::vector<Reservation> all_;  // oldest promise first
    Time rest_until_{};             // no node is emptied before
};

}  // namespace penstock::scheduler
