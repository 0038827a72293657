// SPDX-License-Identifier: Apache-2.0
#include "scheduler/reservations.h"

#include <algorithm>

#include "scheduler/amounts.h"

namespace penstock::scheduler {
namespace {

// How much of the node would have to be given up for it: the largest part of one resource.
std::int64_t shortage(const Place& place, const NodeBook& book) {
    const Amounts total = amounts_of(book.total(place.node));
    Amounts short_of = amounts_of(place.request);
    short_of.add(total, -1);
    for (const Held& held : book.held(place.node)) short_of.add(amounts_of(held.request));
    return dominant_share(short_of, total);
}

bool fits_empty(const Place& place, const NodeBook& book) {
    return Calendar(book.total(place.node)).fits(place.request, Time{}, Duration{1});
}

// What was there before the promise leaves the node to it, one day; nobody knows when.
bool is_waited_for(const Reservation& reservation, const Held& held) {
    if (reservation.by_notice) return held.leaves;
    return !reservation.start && held.since <= reservation.made_at;
}

}  // namespace

std::vector<const Reservation*> Reservations::before(NodeId node, WorkId work) const {
    std::vector<const Reservation*> found;
    for (const Reservation& each : all_) {
        if (each.work == work) break;
        if (each.place.node == node) found.push_back(&each);
    }
    return found;
}

// What is held of the node from now on: by what runs, and by what was promised before.
Calendar Reservations::calendar(NodeId node, WorkId work, Time now, const NodeBook& book) const {
    Calendar calendar(book.total(node));
    const std::vector<const Reservation*> promises = before(node, work);
    for (const Held& held : book.held(node)) {
        const auto waits = [&](const Reservation* each) { return is_waited_for(*each, held); };
        if (std::ranges::any_of(promises, waits)) continue;
        const Time ends = held.ends ? std::max(*held.ends, now + Duration{1}) : now + kForEver;
        calendar.hold(held.request, now, ends - now);
    }
    for (const Reservation* each : promises) {
        const Time start = each->by_notice ? now : std::max(now, each->start.value_or(now));
        calendar.hold(each->place.request, start, each->span.value_or(kForEver));
    }
    return calendar;
}

// Unknown where it comes only after something whose end is unknown.
std::optional<Time> Reservations::earliest(
    const Reservation& wanted, const Place& place, Time now, const NodeBook& book
) const {
    const std::optional<Time> start =
        calendar(place.node, wanted.work, now, book)
            .earliest(place.request, now, wanted.span.value_or(kForEver));
    if (!start || *start >= now + kForEver / 2) return std::nullopt;
    return start;
}

bool Reservations::has_room_for(WorkId work, OrganisationId organisation) const {
    if (find(work) != nullptr) return true;
    if (all_.size() >= kReservationsMax) return false;
    const auto own = std::ranges::count(all_, organisation, &Reservation::organisation);
    return static_cast<std::size_t>(own) < kReservationsPerTenantMax;
}

const Reservation* Reservations::reserve(
    const Reservation& wanted, const std::vector<Place>& suited, Time now, const NodeBook& book
) {
    auto known = std::ranges::find(all_, wanted.work, &Reservation::work);
    if (known != all_.end() && std::ranges::find(suited, known->place) != suited.end()) {
        if (known->by_notice) return &*known;
        if (!known->start && now < known->made_at + kEmptyingMax) return &*known;
        // Later than promised: another node may be free before.
        const std::optional<Time> start = earliest(*known, known->place, now, book);
        if (known->start && start && *start <= *known->start) {
            known->start = start;
            return &*known;
        }
        if (!known->start) {
            rest_until_ = now + kEmptyingRest;
            all_.erase(known);
            known = all_.end();
        }
    }
    if (!has_room_for(wanted.work, wanted.organisation)) return nullptr;
    Reservation best = wanted;
    best.made_at = now;
    bool found = false;
    std::int64_t least = 0;
    for (const Place& place : suited) {
        if (!fits_empty(place, book)) continue;
        const std::optional<Time> start = earliest(wanted, place, now, book);
        if (best.start && (!start || *start >= *best.start)) continue;
        const std::int64_t missing = start ? 0 : shortage(place, book);
        if (found && !start && missing >= least) continue;
        if (!start && (!may_empty(now) || !before(place.node, wanted.work).empty())) continue;
        found = true;
        best.place = place;
        best.start = start;
        least = missing;
    }
    if (!found) {
        if (known != all_.end()) all_.erase(known);
        return nullptr;
    }
    if (known == all_.end()) known = all_.insert(all_.end(), best);
    *known = best;
    return &*known;
}

bool Reservations::may_empty(Time now) const {
    return now >= rest_until_ && std::ranges::none_of(all_, [](const Reservation& each) {
               return !each.by_notice && !each.start;
           });
}

void Reservations::promise(Reservation reservation) {
    drop(reservation.work);
    reservation.by_notice = true;
    all_.push_back(std::move(reservation));
}

void Reservations::drop(WorkId work) {
    std::erase_if(all_, [&](const Reservation& each) { return each.work == work; });
}

void Reservations::keep_only(const std::vector<WorkId>& waiting) {
    std::erase_if(all_, [&](const Reservation& each) {
        return !std::ranges::binary_search(waiting, each.work);
    });
}

bool Reservations::disturbed_by(
    WorkId work, const Place& place, std::optional<Duration> span, Time now, const NodeBook& book
) const {
    if (before(place.node, work).empty()) return false;
    const Reservation* own = find(work);
    if (own != nullptr && own->by_notice && own->place == place) return false;
    return !calendar(place.node, work, now, book).fits(place.request, now, span.value_or(kForEver));
}

std::vector<ResourceRequest> Reservations::given_by_notice(NodeId node, WorkId work) const {
    std::vector<ResourceRequest> given;
    for (const Reservation& each : all_)
        if (each.by_notice && each.place.node == node && each.work != work)
            given.push_back(each.place.request);
    return given;
}

const Reservation* Reservations::find(WorkId work) const {
    const auto found = std::ranges::find(all_, work, &Reservation::work);
    return found == all_.end() ? nullptr : &*found;
}

}  // namespace penstock::scheduler
