// SPDX-License-Identifier: Apache-2.0
#include "routing/allowance_pool.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "model/ids.h"
#include "routing/allowance_authority.h"

namespace penstock::routing {
namespace {

constexpr Duration kShortFor = 1s;  // after a refusal the server is left alone

std::int64_t minute_of(Time now) {
    return std::chrono::floor<std::chrono::minutes>(now).time_since_epoch().count();
}

// Minutes go forward. A clock that runs back stays in the minute it had reached, so that nothing is
// counted twice; far back, the clock was wrong before.
template <class Slot>
void roll(Slot& slot, Time now) {
    if (!is_per_minute(slot.key.measure)) return;
    const std::int64_t minute = minute_of(now);
    if (minute == slot.minute) return;
    if (minute < slot.minute && slot.minute - minute <= AllowancePool::kMinutesBackMax) return;
    slot.before = minute - slot.minute > 1 ? Units() : slot.used + slot.held;
    slot.minute = minute;
    slot.used = {};
    slot.held = {};
}

// What may be held now; `slot` has been rolled.
template <class Slot>
Units free_of(const Slot& slot, Time now) {
    if (now + AllowancePool::kExpiryMargin >= slot.expires_at) return {};
    return slot.granted - slot.returned - slot.ceded - slot.used - slot.held;
}

// What calls of now need at one time.
template <class Slot>
Units load_of(const Slot& slot) {
    return is_per_minute(slot.key.measure) ? slot.used + slot.held : slot.held;
}

template <class Slot>
Units positive_free(const Slot& slot, Time now) {
    return std::max(Units(), free_of(slot, now));
}

}  // namespace

Units AllowancePool::free_now(const Slot& slot, Time now) { return free_of(slot, now); }

Units AllowancePool::used_of(Measure measure, const Actual& actual) {
    switch (measure) {
        case Measure::wallet:
        case Measure::budget:
            return Units::of(actual.charge);
        case Measure::requests_minute:
        case Measure::requests_day:
            return Units::whole(1);
        case Measure::tokens_minute:
        case Measure::tokens_day:
            return Units::whole(actual.tokens);
        case Measure::concurrency:
            return {};
    }
    return {};
}

// ---- holding ----

AllowancePool::AllowancePool(Money fill, IdSource& ids)
    : fill_(fill), ids_(ids), model_names_{std::string()} {}

std::uint32_t AllowancePool::find(const AccountKey& key) const {
    const auto found = slots_by_key_.find(key);
    return found == slots_by_key_.end() ? kNoSlot : found->second;
}

std::expected<Hold, Lack> AllowancePool::hold(
    std::span<const Demand> demands, Time now, Time deadline
) {
    CHECK(demands.size() <= kDemandsMax, "three levels have no more limits");
    std::array<std::uint32_t, kDemandsMax> slots{};
    for (std::size_t i = 0; i < demands.size(); ++i) {
        CHECK(!demands[i].units.is_negative(), "a call never uses less than nothing");
        slots[i] = find(demands[i].account);
        if (slots[i] == kNoSlot) return std::unexpected(Lack{i, false});
        Slot& slot = slots_[slots[i]];
        roll(slot, now);
        if (free_of(slot, now) < demands[i].units)
            return std::unexpected(
                Lack{i, now < slot.short_until && demands[i].units >= slot.short_of}
            );
    }
    Hold made;
    if (free_holds_.empty()) {
        made.index_ = static_cast<std::uint32_t>(holds_.size());
        holds_.emplace_back();
    } else {
        made.index_ = free_holds_.back();
        free_holds_.pop_back();
    }
    HoldRow& row = holds_[made.index_];
    row.money = {};
    row.noted.reset();
    row.unrecorded = false;
    row.deadline = deadline;
    apply(row, demands, std::span(slots).first(demands.size()), now);
    for (const Entry& entry : row.entries)
        if (slots_[entry.slot].key.measure == Measure::wallet)
            made.wallet_lease_ = slots_[entry.slot].lease;
    made.amount_ = row.money;
    made.deadline_ = deadline;
    made.pool_ = this;
    return made;
}

void AllowancePool::apply(
    HoldRow& row, std::span<const Demand> demands, std::span<const std::uint32_t> slots, Time now
) {
    for (std::size_t i = 0; i < demands.size(); ++i) {
        Slot& slot = slots_[slots[i]];
        if (is_idle(slot, now)) slot.most = {};
        slot.held += demands[i].units;
        use(slot, now);
        note_call(slot, load_of(slot), demands[i].units);
        if (slot.key.measure != Measure::wallet) slot.limit = demands[i].limit;
        ++slot.entries;
        if (slot.key.measure == Measure::wallet) row.money = demands[i].units.floor_money();
        row.entries.push_back({slots[i], slot.lease_number, slot.minute, demands[i].units});
        if (runs_low(slot, now)) enqueue(slots[i]);
    }
    row.open = true;
    ++holds_open_;
}

void AllowancePool::end(Hold& hold, const Actual* actual) {
    CHECK(hold.pool_ == this && holds_[hold.index_].open, "a hold ends once, where it was made");
    HoldRow& row = holds_[hold.index_];
    for (const Entry& entry : row.entries) end_entry(entry, actual);
    row.entries.clear();
    row.open = false;
    free_holds_.push_back(hold.index_);
    --holds_open_;
    hold.pool_ = nullptr;
}

void AllowancePool::end_entry(const Entry& entry, const Actual* actual) {
    Slot& slot = slots_[entry.slot];
    const Units used = actual == nullptr ? Units() : used_of(slot.key.measure, *actual);
    CHECK(
        !used.is_negative() && (used <= entry.units || slot.key.measure == Measure::concurrency),
        "the meter clips a call to its bound"
    );
    --slot.entries;
    const bool of_slot = is_per_minute(slot.key.measure) ? entry.minute == slot.minute
                         : is_consumed(slot.key.measure) ? entry.lease_number == slot.lease_number
                                                         : true;
    if (!of_slot) return;  // its minute has passed, or its lease is over
    slot.held -= entry.units;
    slot.used += used;
    slot.spent += used;
}

std::optional<std::uint32_t> AllowancePool::model_number(std::string_view name) {
    const auto found = model_numbers_.find(name);
    if (found != model_numbers_.end()) return found->second;
    if (model_names_.size() > kModelNamesMax) return std::nullopt;
    const auto number = static_cast<std::uint32_t>(model_names_.size());
    model_names_.emplace_back(name);
    model_numbers_.emplace(name, number);
    return number;
}

// ---- waiting ----

std::uint32_t AllowancePool::find_or_make(const Demand& demand, Time now) {
    if (const std::uint32_t known = find(demand.account); known != kNoSlot) return known;
    if (slots_by_key_.size() >= kAccountsMax) return kNoSlot;
    std::uint32_t index = static_cast<std::uint32_t>(slots_.size());
    if (free_slots_.empty()) {
        slots_.emplace_back();
    } else {
        index = free_slots_.back();
        free_slots_.pop_back();
        slots_[index] = {};
    }
    Slot& slot = slots_[index];
    slot.key = demand.account;
    // What a wallet has is not known before the first answer: all of the fill is asked for.
    slot.limit = demand.account.measure == Measure::wallet
                     ? Units::of(Money::micro(fill_.micro() * kFillDivisor))
                     : demand.limit;
    slot.minute = slot.spent_minute = minute_of(now);
    slot.used_at = slot.busy_since = now;
    slots_by_key_.emplace(demand.account, index);
    begin_lease(index);
    return index;
}

// Shares of a minute and calls at one time go on counting what runs; of what is consumed the old
// lease's part is no business of the new one.
void AllowancePool::begin_lease(std::uint32_t index) {
    Slot& slot = slots_[index];
    if (!slot.lease.is_nil()) slots_by_lease_.erase(slot.lease);
    slot.lease = ids_.next<LeaseId>(slot.used_at);
    slots_by_lease_.emplace(slot.lease, index);
    ++slot.lease_number;
    slot.granted = {};
    slot.returned = {};
    slot.ceded = {};
    slot.foreign = 0;
    slot.expires_at = {};
    if (!is_consumed(slot.key.measure)) return;
    slot.used = {};
    slot.held = {};
}

bool AllowancePool::wait_for(std::span<const Demand> demands, Time now) {
    for (std::size_t i = 0; i < demands.size(); ++i) {
        const std::uint32_t index = find_or_make(demands[i], now);
        if (index == kNoSlot) {
            stop_waiting(demands.first(i));
            return false;
        }
        Slot& slot = slots_[index];
        if (slot.key.measure != Measure::wallet) slot.limit = demands[i].limit;
        use(slot, now);
        slot.waiting += demands[i].units;
        slot.smallest =
            slot.calls_waiting == 0 ? demands[i].units : std::min(slot.smallest, demands[i].units);
        ++slot.calls_waiting;
    }
    queue_lacking(demands, now);
    return true;
}

void AllowancePool::stop_waiting(std::span<const Demand> demands) {
    for (const Demand& demand : demands) {
        const std::uint32_t index = find(demand.account);
        CHECK(index != kNoSlot, "an account that a call waits for is kept");
        Slot& slot = slots_[index];
        slot.waiting -= demand.units;
        --slot.calls_waiting;
    }
}

void AllowancePool::queue_lacking(std::span<const Demand> demands, Time now) {
    for (const Demand& demand : demands) {
        const std::uint32_t index = find(demand.account);
        if (index == kNoSlot) continue;
        Slot& slot = slots_[index];
        roll(slot, now);
        if (free_of(slot, now) < slot.waiting) enqueue(index);
    }
}

std::uint64_t AllowancePool::answers_needed(const AccountKey& key) const {
    const std::uint32_t index = find(key);
    if (index == kNoSlot) return 1;
    return slots_[index].answers + (slots_[index].asked ? 2 : 1);
}

std::uint64_t AllowancePool::answers(const AccountKey& key) const {
    const std::uint32_t index = find(key);
    return index == kNoSlot ? 0 : slots_[index].answers;
}

void AllowancePool::enqueue(std::uint32_t index) {
    Slot& slot = slots_[index];
    if (slot.queued || slot.asked) return;
    slot.queued = true;
    queue_.push_back(index);
}

// ---- asking ----

bool AllowancePool::is_idle(const Slot& slot, Time now) const {
    return slot.entries == 0 && slot.calls_waiting == 0 &&
           (closing_ || now - slot.used_at >= kKeepFor);
}

AllowanceAsk AllowancePool::ask_of(Slot& slot, Time now, Idle idle) const {
    roll(slot, now);
    reckon_stock(slot, now);
    Units back;
    if (idle == Idle::give_back) {
        back = return_of(slot, now);
        slot.lent = slot.lent || slot.wanted_back;
        slot.wanted_back = false;
    }
    const bool low = runs_low(slot, now);
    slot.returned += back;
    slot.asked = true;
    slot.asked_at = now;
    AllowanceAsk ask{.lease_id = slot.lease, .account = account_of(slot.key)};
    ask.known = slot.granted;
    ask.returned = slot.returned;
    ask.used_in_minute = used_in_minute(slot, now);
    if (!back.is_zero()) return ask;
    const Units step = step_of(slot.key.measure);
    const auto up = [&](Units amount) {
        const Units down = amount.floor_to(step);
        return down == amount ? amount : down + step;
    };
    const Units free = positive_free(slot, now);
    if (is_idle(slot, now)) {
        if (lacks_stock(slot, now)) ask.wanted = up(slot.stock - free);
        return ask;
    }
    ask.needed = up(std::max(Units(), slot.waiting - free));
    if (slot.calls_waiting > 0) ask.smallest = up(std::max(Units(), slot.smallest - free));
    if (ask.needed.is_zero() && !low) return ask;
    const Units spare = std::max(Units(), free - slot.waiting);
    const Units room = is_consumed(slot.key.measure) ? fill_of(slot) - spare : fill_of(slot);
    ask.wanted = std::max(ask.needed, ask.needed + up(room));
    return ask;
}

std::vector<AllowanceAsk> AllowancePool::asks(Time now, std::size_t most, Idle idle) {
    std::ranges::partition(queue_, [&](std::uint32_t index) {
        return slots_[index].calls_waiting > 0;
    });
    const std::size_t count = std::min(most, queue_.size());
    std::vector<AllowanceAsk> out;
    out.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        Slot& slot = slots_[queue_[i]];
        slot.queued = false;
        if (slot.foreign != 0) continue;
        out.push_back(ask_of(slot, now, idle));
    }
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    return out;
}

void AllowancePool::grant(const AllowanceAsk& ask, const Allowance& answer, Time now) {
    const auto found = slots_by_lease_.find(ask.lease_id);
    if (found == slots_by_lease_.end()) return;  // of a lease that is over
    const std::uint32_t index = found->second;
    Slot& slot = slots_[index];
    slot.asked = false;
    if (answer.ended) {
        begin_lease(index);
        if (slot.calls_waiting > 0) enqueue(index);
        return;
    }
    ++slot.answers;
    take_answer(slot, ask, answer, now);
}

void AllowancePool::recall(std::span<const LeaseId> leases) {
    for (const LeaseId& lease : leases) {
        const auto found = slots_by_lease_.find(lease);
        if (found == slots_by_lease_.end()) continue;
        slots_[found->second].wanted_back = true;
        enqueue(found->second);
    }
}

void AllowancePool::take_answer(
    Slot& slot, const AllowanceAsk& ask, const Allowance& answer, Time now
) const {
    const Units more = std::max(Units(), answer.granted - ask.known);
    slot.unsure = false;
    slot.granted = std::max(slot.granted, answer.granted);
    slot.expires_at = answer.expires_at;
    slot.wanted_back = answer.wanted_back;
    slot.remaining = answer.remaining;
    slot.recalled = answer.recalled;
    if (answer.limit) slot.limit = *answer.limit;
    if (ask.wanted.is_zero()) return;
    // Calls may wait for what others give back.
    if (!answer.recalled && (more < ask.needed || more.is_zero())) {
        slot.short_until = now + kShortFor;
        // What was asked for in store has recalled nothing from others: a call may still get it.
        slot.short_of = ask.needed.is_zero() ? kUnitsMax + kUnitsMax
                                             : positive_free(slot, now) + answer.remaining +
                                                   step_of(slot.key.measure);
    } else {
        slot.short_until = {};
    }
}

void AllowancePool::unanswered(std::span<const AllowanceAsk> asks) {
    for (const AllowanceAsk& ask : asks) {
        const auto found = slots_by_lease_.find(ask.lease_id);
        if (found == slots_by_lease_.end()) continue;
        slots_[found->second].asked = false;
        slots_[found->second].unsure = true;
    }
}

void AllowancePool::sweep(Time now) {
    const std::size_t count = std::min(kSweepMax, slots_.size());
    for (std::size_t n = 0; n < count; ++n) {
        if (swept_to_ >= slots_.size()) swept_to_ = 0;
        const auto index = static_cast<std::uint32_t>(swept_to_++);
        Slot& slot = slots_[index];
        if (slot.lease.is_nil() || slot.queued || slot.asked) continue;
        roll(slot, now);
        note_spending(slot, now);
        reckon_stock(slot, now);
        if (is_done(slot, now)) {
            forget(index);
            continue;
        }
        const bool checks_in = now - slot.asked_at >= check_in_of(slot, now);
        if (checks_in || slot.unsure || slot.calls_waiting > 0 || !return_of(slot, now).is_zero())
            enqueue(index);
        look_ahead(index, checks_in, now);
    }
}

// Idle, and nothing is left to give back; or it is over, and was asked for since: clocks jump.
bool AllowancePool::is_done(const Slot& slot, Time now) const {
    if (!is_idle(slot, now)) return false;
    const Time over = std::max(slot.expires_at, slot.used_at + kAllowanceTime) + kAllowanceGrace;
    // What a minute used is to be given back when it ends.
    const bool more_to_come = is_per_minute(slot.key.measure) && !slot.used.is_zero() &&
                              slot.granted > slot.returned + slot.ceded;
    return (!slot.unsure && !more_to_come && spare_of(slot, now).is_zero()) ||
           std::min(now, slot.asked_at) >= over;
}

void AllowancePool::forget(std::uint32_t index) {
    Slot& slot = slots_[index];
    slots_by_lease_.erase(slot.lease);
    slots_by_key_.erase(slot.key);
    slot = {};
    free_slots_.push_back(index);
}

void AllowancePool::close(Time now) {
    closing_ = true;
    for (std::uint32_t index = 0; index < slots_.size(); ++index)
        if (const Slot& slot = slots_[index];
            !slot.lease.is_nil() && (slot.unsure || !return_of(slot, now).is_zero()))
            enqueue(index);
}

// ---- shown ----

AllowanceAccount AllowancePool::account_of(const AccountKey& key) const {
    AllowanceAccount account;
    switch (key.level) {
        case Level::organisation:
            account.subject = to_string(OrganisationId(key.subject));
            break;
        case Level::project:
            account.subject = to_string(ProjectId(key.subject));
            break;
        case Level::key:
            account.subject = to_string(KeyId(key.subject));
            break;
    }
    account.model = model_names_[key.model];
    account.measure = key.measure;
    account.period = key.period;
    account.period_start = Time(Duration(key.period_start_us));
    return account;
}

std::optional<AccountView> AllowancePool::view(const AccountKey& key, Time now) const {
    const std::uint32_t index = find(key);
    if (index == kNoSlot) return std::nullopt;
    Slot slot = slots_[index];
    roll(slot, now);
    return AccountView{slot.granted,       slot.returned, slot.used,      slot.held,
                       free_of(slot, now), slot.limit,    slot.remaining, slot.expires_at,
                       slot.recalled,      slot.minute};
}

}  // namespace penstock::routing
