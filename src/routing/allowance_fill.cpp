// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "routing/allowance_authority.h"
#include "routing/allowance_pool.h"

// How much of an account is kept in store.
namespace penstock::routing {

Units AllowancePool::fill_of(const Slot& slot) const {
    switch (slot.key.measure) {
        case Measure::wallet:
        case Measure::budget:
        case Measure::requests_day:
        case Measure::tokens_day:
            return fill_of_consumed(slot);
        case Measure::requests_minute:
        case Measure::tokens_minute:
        case Measure::concurrency:
            // A share is used again and again: all of it is good to have.
            return std::max(Units(), slot.limit - (slot.granted - slot.returned));
    }
    return {};
}

// Near the limit nothing is kept in store: each call asks for what it needs.
Units AllowancePool::fill_of_consumed(const Slot& slot) const {
    const Units most = (slot.limit / kFillDivisor).floor_to(step_of(slot.key.measure));
    const auto is_near = [&](Units fill) { return slot.answers > 0 && slot.remaining < fill; };
    if (!is_money(slot.key.measure)) return is_near(most) ? Units() : most;
    const Units least = std::min(most, Units::of(fill_));
    // A quarter more than is to be there without the server: so it is seldom asked for more.
    const Units step = step_of(slot.key.measure);
    const Units stock = std::max(least, (slot.stock + slot.stock / 4).floor_to(step));
    for (const Units fill : {std::max(stock, std::min(most, slot.spends)), stock, least})
        if (!is_near(fill)) return fill;
    return {};
}

bool AllowancePool::runs_low(const Slot& slot, Time now) const {
    if (now < slot.short_until || closing_) return false;
    const Units free = std::max(Units(), free_now(slot, now));
    if (!is_consumed(slot.key.measure)) {
        const Units share = slot.granted - slot.returned;
        return share < slot.limit && free < share / kRefillDivisor;
    }
    const Units fill = fill_of(slot);
    if (free < fill / kRefillDivisor) return true;
    // More often than that it would ask where the server grants less than it wants.
    return now - slot.asked_at >= kCheckIn && free < std::min(slot.stock, fill - fill / 5);
}

void AllowancePool::note_spending(Slot& slot, Time now) {
    const std::int64_t minute =
        std::chrono::floor<std::chrono::minutes>(now).time_since_epoch().count();
    const std::int64_t passed = minute - slot.spent_minute;
    if (passed <= 0 || !is_money(slot.key.measure)) return;
    constexpr std::int64_t kForgotten = 60;  // minutes after which nothing is left of it
    for (std::int64_t n = 0; n < std::min(passed, kForgotten); ++n) slot.spends -= slot.spends / 4;
    Units spends;
    for (int n = 0; n < kFillMinutes; ++n) spends += slot.spent / passed;
    slot.spends = std::max(slot.spends, spends).floor_to(step_of(slot.key.measure));
    slot.spent = {};
    slot.spent_minute = minute;
}

// Shortly before a period ends, a part of the next one is fetched while one of the present one is
// in use or stands: the end of a period may come while the server is away.
void AllowancePool::look_ahead(std::uint32_t index, bool checks_in, Time now) {
    const AccountKey key = slots_[index].key;
    const bool idle = is_idle(slots_[index], now);
    if (key.period == BudgetPeriod::none || closing_) return;
    if (idle && (!checks_in || standing_of(slots_[index], now).is_zero())) return;
    const Time end = period_end(key.period, Time(Duration(key.period_start_us)));
    if (now >= end || end - now >= kAheadFor) return;
    Demand next{key, Units(), slots_[index].limit};
    next.account.period_start_us = end.time_since_epoch().count();
    const std::uint32_t made = find_or_make(next, now);  // slots_ may have moved
    if (made == kNoSlot) return;
    const Slot& present = slots_[index];
    Slot& slot = slots_[made];
    slot.used_at = idle ? present.used_at : now;
    slot.limit = next.limit;
    slot.spends = std::max(slot.spends, present.spends);
    slot.most = std::max(slot.most, present.most);
    slot.call = present.call;
    slot.recent = present.recent;
    slot.recent_part = present.recent_part;
    slot.busy_since = present.busy_since;
    reckon_stock(slot, now);
    if (idle ? slot.granted.is_zero() : runs_low(slot, now)) enqueue(made);
}

}  // namespace penstock::routing
