// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "routing/allowance_authority.h"
#include "routing/allowance_pool.h"

// What of an account stays while no call uses it, so that calls go on when the server is away.
namespace penstock::routing {
namespace {

std::int64_t part_of(Time now) { return now.time_since_epoch() / AllowancePool::kPacePart; }

Units times(Units units, std::int64_t factor) {
    Units product;
    for (; factor > 0; factor /= 2, units += units)
        if (factor % 2 == 1) product += units;
    return product;
}

}  // namespace

void AllowancePool::use(Slot& slot, Time now) {
    if (now - slot.used_at >= kPaceFor) {
        slot.busy_since = now;
        slot.recent = {};
    }
    slot.used_at = now;
}

void AllowancePool::roll_pace(Slot& slot, Time now) {
    const std::int64_t part = part_of(now);
    const std::int64_t passed = part - slot.recent_part;
    if (passed == 0) return;
    // Also where the clock has run far back: it was wrong before.
    const auto parts = static_cast<std::int64_t>(kPaceParts);
    if (passed >= parts || passed <= -parts) slot.recent = {};
    for (std::int64_t n = 1; n <= passed && n < parts; ++n)
        slot.recent[static_cast<std::size_t>((slot.recent_part + n) % parts)] = {};
    if (passed > 0 || passed <= -parts) slot.recent_part = part;
}

// `slot` has been rolled. `load`: what calls hold of it now, with this one.
void AllowancePool::note_call(Slot& slot, Units load, Units call) {
    slot.most = std::max(slot.most, load);
    slot.call = call;
    slot.lent = false;
    Units& recent = slot.recent[static_cast<std::size_t>(slot.recent_part) % kPaceParts];
    recent =
        is_consumed(slot.key.measure) ? std::min(kUnitsMax, recent + call) : std::max(recent, load);
}

// What calls would hold in an hour, one after the other, as they did in the last one.
Units AllowancePool::pace_of(const Slot& slot, Time now) {
    if (now - slot.used_at >= kPaceFor) return {};
    const Units sum = std::accumulate(slot.recent.begin(), slot.recent.end(), Units());
    const Duration remembered = kPaceFor + (now - Time(slot.recent_part * kPacePart)) % kPacePart;
    const Duration passed = std::clamp<Duration>(now - slot.busy_since, 1min, remembered);
    return times(sum, kPaceFor / 1s) / (passed / 1s);
}

void AllowancePool::reckon_stock(Slot& slot, Time now) const {
    roll_pace(slot, now);
    const Units handful = times(slot.most, kStandingTimes);
    if (!is_consumed(slot.key.measure)) {
        const Units peak = std::max(slot.most, *std::ranges::max_element(slot.recent));
        const Units small = (slot.limit / kStandingDivisor).floor_to(step_of(slot.key.measure));
        slot.stock = std::max(peak, std::min(times(peak, kStandingTimes), small));
        return;
    }
    const Units left = slot.answers == 0 ? slot.limit : slot.remaining + spare_of(slot, now);
    const Units paced = std::min(pace_of(slot, now) + handful, left / kPaceDivisor);
    slot.stock = std::max(paced, std::min(handful, left / kStandingDivisor))
                     .floor_to(step_of(slot.key.measure));
    // What no call fits into is of use to others only.
    if (slot.stock < slot.call) slot.stock = {};
}

// Of the accounts that many are kept of, those that were used last stand.
bool AllowancePool::stands(const Slot& slot, Time now) const {
    if (closing_ || slot.wanted_back) return false;
    const Duration unused = now - slot.used_at;
    const std::size_t most =
        unused < kPaceFor ? kPacedTimes * kStandingAccountsMax : kStandingAccountsMax;
    if (unused >= kStandFor || slots_by_key_.size() > most) return false;
    return slot.key.period == BudgetPeriod::none ||
           now < period_end(slot.key.period, Time(Duration(slot.key.period_start_us)));
}

// Of an idle account.
Units AllowancePool::standing_of(const Slot& slot, Time now) const {
    return stands(slot, now) ? slot.stock : Units();
}

bool AllowancePool::lacks_stock(const Slot& slot, Time now) const {
    return is_consumed(slot.key.measure) && is_idle(slot, now) && !slot.lent && stands(slot, now) &&
           std::max(Units(), free_now(slot, now)) < slot.stock;
}

Duration AllowancePool::check_in_of(const Slot& slot, Time now) const {
    if (!is_idle(slot, now)) return kCheckIn;
    if (slots_by_key_.size() > kStandingAccountsMax) return kManyCheckIn;
    return lacks_stock(slot, now) ? kCheckIn : kStandingCheckIn;
}

// What no call uses. Also of a lease that has expired here: the server may still count it. What a
// minute used is its own until it ends; who closes has no more of it and leaves it to the server.
Units AllowancePool::spare_of(const Slot& slot, Time now) const {
    Units spare = slot.granted - slot.returned - slot.ceded - slot.held;
    const bool is_left = closing_ && is_per_minute(slot.key.measure) && is_idle(slot, now);
    if (!is_left) spare -= slot.used;
    return std::max(Units(), spare);
}

// What the server keeps from others until the minute is over everywhere. What another process has
// used of the lease is not known here.
std::optional<Units> AllowancePool::used_in_minute(const Slot& slot, Time now) {
    if (!is_per_minute(slot.key.measure) || !slot.ceded.is_zero()) return std::nullopt;
    const Time began{std::chrono::minutes(slot.minute)};
    const Units used = slot.used + slot.held;
    return now - began < kMinuteMargin ? std::max(used, slot.before) : used;
}

Units AllowancePool::return_of(const Slot& slot, Time now) const {
    const Units step = step_of(slot.key.measure);
    if (slot.calls_waiting > 0) return {};
    const Units spare = spare_of(slot, now);
    // To the last fraction: what is left at the server would be held until the lease ends.
    if (is_idle(slot, now)) return std::max(Units(), spare - standing_of(slot, now));
    if (closing_) return spare;
    if (!slot.wanted_back) return {};
    const Units half = (spare / 2).floor_to(step);
    return half.is_zero() ? spare.floor_to(step) : half;
}

}  // namespace penstock::routing
