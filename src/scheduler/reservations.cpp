// SPDX-License-Identifier: Apache-2.0
#include "scheduler/reservations.h"

#include <algorithm>

#include "scheduler/amounts.h"

namespace penstock::scheduler {
namespace {

constexpr int kTimesMax = 16;  // at which a gang is tried where promises to others lie in between

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

std::vector<Reservations::Promised> Reservations::to_others(NodeId node, WorkId work, Beside beside)
    const {
    std::vector<Promised> found;
    for (const Reservation& each : all_) {
        if (each.work == work && beside == Beside::older) break;
        if (each.work == work) continue;
        for (const Place& place : each.places)
            if (place.node == node) found.push_back({&each, &place});
    }
    return found;
}

// What is held of the node from now on: by what runs, and by what was promised.
Calendar Reservations::calendar(
    NodeId node, WorkId work, Beside beside, Time now, const NodeBook& book
) const {
    Calendar calendar(book.total(node));
    const std::vector<Promised> promises = to_others(node, work, beside);
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

    // The first start at or after `time`.
    std::optional<Time> next(Time time, const Reservation& wanted, Time now) const {
        const std::optional<Time> first =
            calendar.earliest(place.request, time, wanted.span.value_or(kForEver));
        return first && *first < now + kForEver / 2 ? first : std::nullopt;
    }
};

std::vector<Reservations::Option> Reservations::options_of(
    const Reservation& wanted, const std::vector<Place>& places, Beside beside, Time now,
    const NodeBook& book
) const {
    std::vector<Option> options;
    for (const Place& place : places) {
        if (!fits_empty(place, book)) continue;
        Option option{
            .place = place, .calendar = calendar(place.node, wanted.work, beside, now, book)
        };
        option.start = option.next(now, wanted, now);
        option.promised = !to_others(place.node, wanted.work, beside).empty();
        options.push_back(std::move(option));
    }
    return options;
}

// Of all its places.
std::optional<Time> Reservations::earliest(
    const Reservation& wanted, Beside beside, Time now, const NodeBook& book
) const {
    const std::vector<Option> options = options_of(wanted, wanted.places, beside, now, book);
    if (options.size() < wanted.places.size()) return std::nullopt;
    Time time = now;
    for (int i = 0; i < kTimesMax; ++i) {
        Time all = time;
        for (const Option& option : options) {
            const std::optional<Time> next = option.next(time, wanted, now);
            if (!next) return std::nullopt;
            all = std::max(all, *next);
        }
        if (all == time) return time;
        time = all;  // the promise of another may begin before: who was free until then is not now
    }
    return std::nullopt;
}

// After `time`, at which one more of them is free.
std::vector<Time> Reservations::later_times(
    const std::vector<Option>& options, Time time, const Reservation& wanted
) {
    std::vector<Time> times;
    while (std::ssize(times) < kTimesMax) {
        std::optional<Time> first;
        for (const Option& option : options) {
            const std::optional<Time> next = option.next(time, wanted, wanted.made_at);
            if (next && *next > time) first = std::min(first.value_or(*next), *next);
        }
        if (!first) break;
        times.push_back(*first);
        time = *first;
    }
    return times;
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
    if (!try_at(times.back()))
        return std::ranges::any_of(later_times(options, times.back(), wanted), try_at);
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
        if (known->start) {
            // Forward only where nobody was promised the time between; later than promised, other
            // places may be free before.
            const std::optional<Time> forward = earliest(*known, Beside::all, now, book);
            if (forward && *forward <= *known->start) {
                known->start = forward;
                return &*known;
            }
            const std::optional<Time> again = earliest(*known, Beside::older, now, book);
            if (again && *again <= *known->start) return &*known;
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
    std::vector<Option> options = options_of(wanted, suited, Beside::older, now, book);
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
    const bool its_turn = is_its_turn(work, place, now);
    const Beside beside = its_turn ? Beside::older : Beside::all;
    if (to_others(place.node, work, beside).empty()) return false;
    if (its_turn && find(work)->by_notice) return false;
    return !calendar(place.node, work, beside, now, book)
                .fits(place.request, now, span.value_or(kForEver));
}

bool Reservations::is_its_turn(WorkId work, const Place& place, Time now) const {
    const Reservation* own = find(work);
    if (own == nullptr || std::ranges::find(own->places, place) == own->places.end()) return false;
    return own->by_notice || own->start.value_or(now) <= now;
}

std::vector<Place> Reservations::given_by_notice(WorkId work) const {
    std::vector<Place> given;
    for (const Reservation& each : all_)
        if (each.by_notice && each.work != work)
            given.insert(given.end(), each.places.begin(), each.places.end());
    return given;
}

const Reservation* Reservations::find(WorkId work) const {
    const auto found = std::ranges::find(all_, work, &Reservation::work);
    return found == all_.end() ? nullptr : &*found;
}

}  // namespace penstock::scheduler
