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

bool all_suit(const std::vector<Place>& places, const std::vector<Place>& suited) {
    return std::ranges::all_of(places, [&](const Place& place) {
        return std::ranges::find(suited, place) != suited.end();
    });
}

// What was there before the promise leaves the node to it, one day; nobody knows when.
bool is_waited_for(const Reservation& reservation, const Held& held) {
    if (reservation.by_notice) return held.leaves;
    return !reservation.start && held.since <= reservation.made_at;
}

}  // namespace

std::vector<Reservations::Promised> Reservations::before(NodeId node, WorkId work) const {
    std::vector<Promised> found;
    for (const Reservation& each : all_) {
        if (each.work == work) break;
        for (const Place& place : each.places)
            if (place.node == node) found.push_back({&each, &place});
    }
    return found;
}

// What is held of the node from now on: by what runs, and by what was promised before.
Calendar Reservations::calendar(NodeId node, WorkId work, Time now, const NodeBook& book) const {
    Calendar calendar(book.total(node));
    const std::vector<Promised> promises = before(node, work);
    for (const Held& held : book.held(node)) {
        const auto waits = [&](const Promised& each) { return is_waited_for(*each.to, held); };
        if (std::ranges::any_of(promises, waits)) continue;
        const Time ends = held.ends ? std::max(*held.ends, now + Duration{1}) : now + kForEver;
        calendar.hold(held.request, now, ends - now);
    }
    for (const auto& [to, place] : promises) {
        const Time start = to->by_notice ? now : std::max(now, to->start.value_or(now));
        calendar.hold(place->request, start, to->span.value_or(kForEver));
    }
    return calendar;
}

// A place that could take a member, and when.
struct Reservations::Option {
    Place place;
    Calendar calendar;
    std::optional<Time> start;  // absent: it comes only after something whose end is unknown
    bool promised = false;      // to others, before
};

std::vector<Reservations::Option> Reservations::options_of(
    const Reservation& wanted, const std::vector<Place>& places, Time now, const NodeBook& book
) const {
    std::vector<Option> options;
    for (const Place& place : places) {
        if (!fits_empty(place, book)) continue;
        Option option{.place = place, .calendar = calendar(place.node, wanted.work, now, book)};
        option.start = option.calendar.earliest(place.request, now, wanted.span.value_or(kForEver));
        if (option.start && *option.start >= now + kForEver / 2) option.start.reset();
        option.promised = !before(place.node, wanted.work).empty();
        options.push_back(std::move(option));
    }
    return options;
}

// Of all its places.
std::optional<Time> Reservations::earliest(
    const Reservation& wanted, Time now, const NodeBook& book
) const {
    std::optional<Time> last;
    const std::vector<Option> options = options_of(wanted, wanted.places, now, book);
    if (options.size() < wanted.places.size()) return std::nullopt;
    for (const Option& option : options) {
        if (!option.start) return std::nullopt;
        last = std::max(last.value_or(*option.start), *option.start);
    }
    return last;
}

// The first time at which enough of them are free. Where promises to others lie in between it may
// be a later one: times are halved, not tried one by one.
bool Reservations::find_earliest(
    Reservation& wanted, const std::vector<Option>& options, const Together& together
) const {
    std::vector<Time> times;
    for (const Option& option : options)
        if (option.start) times.push_back(*option.start);
    std::ranges::sort(times);
    times.erase(std::ranges::unique(times).begin(), times.end());
    if (times.empty()) return false;
    const Duration span = wanted.span.value_or(kForEver);
    const auto try_at = [&](Time time) {
        std::vector<Place> free;
        for (const Option& option : options)
            if (option.start && *option.start <= time &&
                option.calendar.fits(option.place.request, time, span))
                free.push_back(option.place);
        std::optional<std::vector<Place>> chosen =
            together ? together(free) : std::vector<Place>{free.front()};
        if (!chosen) return false;
        wanted.places = *std::move(chosen);
        wanted.start = time;
        return true;
    };
    if (try_at(times.front())) return true;
    if (!try_at(times.back())) return false;
    std::size_t without = 0, with = times.size() - 1;
    while (without + 1 < with) {
        const std::size_t middle = (without + with) / 2;
        (try_at(times[middle]) ? with : without) = middle;
    }
    return try_at(times[with]);
}

// Those of which the least would have to be given up.
bool Reservations::find_emptiest(
    Reservation& wanted, std::vector<Option> options, const NodeBook& book, const Together& together
) const {
    std::erase_if(options, &Option::promised);
    std::vector<std::pair<std::int64_t, std::size_t>> missing;
    for (std::size_t i = 0; i < options.size(); ++i)
        missing.emplace_back(options[i].start ? 0 : shortage(options[i].place, book), i);
    std::ranges::sort(missing);
    std::vector<Place> order;
    for (const auto& [amount, option] : missing) order.push_back(options[option].place);
    if (order.empty()) return false;
    std::optional<std::vector<Place>> chosen =
        together ? together(order) : std::vector<Place>{order.front()};
    if (!chosen) return false;
    wanted.places = *std::move(chosen);
    wanted.start.reset();
    return true;
}

bool Reservations::has_room_for(WorkId work, OrganisationId organisation) const {
    if (find(work) != nullptr) return true;
    if (all_.size() >= kReservationsMax) return false;
    const auto own = std::ranges::count(all_, organisation, &Reservation::organisation);
    return static_cast<std::size_t>(own) < kReservationsPerTenantMax;
}

const Reservation* Reservations::reserve(
    const Reservation& wanted, const std::vector<Place>& suited, Time now, const NodeBook& book,
    const Together& together
) {
    auto known = std::ranges::find(all_, wanted.work, &Reservation::work);
    if (known != all_.end() && all_suit(known->places, suited)) {
        if (known->by_notice) return &*known;
        if (!known->start && now < known->made_at + kEmptyingMax) return &*known;
        // Later than promised: others may be free before.
        const std::optional<Time> start = earliest(*known, now, book);
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
    std::vector<Option> options = options_of(wanted, suited, now, book);
    if (!find_earliest(best, options, together) &&
        !(may_empty(now) && find_emptiest(best, std::move(options), book, together))) {
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
    if (own != nullptr && own->by_notice &&
        std::ranges::find(own->places, place) != own->places.end())
        return false;
    return !calendar(place.node, work, now, book).fits(place.request, now, span.value_or(kForEver));
}

std::vector<ResourceRequest> Reservations::given_by_notice(NodeId node, WorkId work) const {
    std::vector<ResourceRequest> given;
    for (const Reservation& each : all_)
        if (each.by_notice && each.work != work)
            for (const Place& place : each.places)
                if (place.node == node) given.push_back(place.request);
    return given;
}

const Reservation* Reservations::find(WorkId work) const {
    const auto found = std::ranges::find(all_, work, &Reservation::work);
    return found == all_.end() ? nullptr : &*found;
}

}  // namespace penstock::scheduler
