// SPDX-License-Identifier: Apache-2.0
#include "routing/allowance_authority.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::routing {
namespace {

// When a share that was in use until `now` can have been used in no minute that anybody still
// counts, whichever clock is ahead.
Time cooled(Time now) {
    return std::chrono::floor<std::chrono::minutes>(now + kClockMargin) + 1min + kClockMargin;
}

// Near the limit slices shrink, so that gateways do not starve each other: each gets at most this
// part of what is free, unless calls that wait need more.
Units slice(Units free, const AllowanceAsk& ask, Units already, std::size_t replicas) {
    const Units step = step_of(ask.account.measure);
    const auto beyond = [&](Units amount) { return std::max(Units(), amount - already); };
    const Units wanted = beyond(ask.wanted);
    const Units needed = beyond(ask.needed);
    if (free <= Units() || wanted.is_zero()) return {};
    Units granted =
        std::min(wanted, (free / static_cast<std::int64_t>(2 * replicas)).floor_to(step));
    if (granted < needed) granted = std::min(needed, free.floor_to(step));
    // Less than any waiting call needs is of no use to this gateway.
    if (!needed.is_zero() && granted < beyond(ask.smallest)) return {};
    return granted;
}

}  // namespace

Units step_of(Measure measure) {
    return is_money(measure) ? Units::of(Money::micro(1)) : Units::whole(1);
}

bool is_money(Measure measure) { return measure == Measure::wallet || measure == Measure::budget; }

bool is_per_minute(Measure measure) {
    return measure == Measure::requests_minute || measure == Measure::tokens_minute;
}

bool is_consumed(Measure measure) {
    return !is_per_minute(measure) && measure != Measure::concurrency;
}

Result<std::int64_t> AllowanceAuthority::greet(const std::string& replica, RunId run, Time now) {
    ReplicaState& state = replicas_[replica];
    state.replica = replica;
    state.seen_at = now;
    if (state.run == run) return state.epoch;
    if (std::ranges::find(state.earlier, run) != state.earlier.end())
        return fail_field(
            ErrorCode::conflict, "run",
            "another process has begun as replica '" + replica +
                "' since: give every gateway a name of its own (--replica)"
        );
    if (!state.run.is_nil()) state.earlier.push_back(state.run);
    if (state.earlier.size() > kRunsKept) state.earlier.erase(state.earlier.begin());
    state.run = run;
    recalled_.erase(replica);
    ++state.epoch;
    touched_replicas_[replica] = true;
    for (auto& [key, account] : accounts_) {
        for (AllowanceLease& lease : account.leases) {
            if (lease.replica != replica) continue;
            by_lease_.erase(lease.id);
            // The process that died may have used its share in this minute.
            if (is_per_minute(key.measure) && lease.outstanding() > Units())
                account.cooling.push_back({lease.outstanding(), cooled(now)});
            lease.replica.clear();
            touch(key);
        }
        std::erase_if(account.leases, [](const AllowanceLease& l) { return l.replica.empty(); });
    }
    return state.epoch;
}

Result<Allowance> AllowanceAuthority::grant(
    const std::string& replica, const AllowanceAsk& ask, std::optional<Units> limit, Units settled,
    Time now
) {
    const auto speaker = replicas_.find(replica);
    CHECK(speaker != replicas_.end(), "greet() comes first");
    Allowance answer{.lease_id = ask.lease_id, .granted = ask.known, .limit = limit};
    answer.expires_at = now + kAllowanceTime;
    AllowanceLease* lease = find(ask.lease_id);
    if (lease == nullptr && !ask.known.is_zero()) {
        // It is over; what the gateway still holds of it is no longer set aside.
        answer.ended = limit.has_value();
        if (!limit) answer.granted = ask.known + ask.wanted;
        return answer;
    }
    if (!limit) {
        answer.granted = ask.known + ask.wanted;
        if (lease == nullptr) return answer;
    }
    if (lease == nullptr) {
        if (ask.wanted.is_zero()) return answer;
        lease = TRY(open(ask, replica, speaker->second.epoch));
    }
    if (lease->replica != replica)
        return fail_field(ErrorCode::conflict, "lease_id", "is another gateway's lease");
    if (by_lease_.at(lease->id) != ask.account)
        return fail_field(ErrorCode::conflict, "account", "is not the one of this lease");
    touch(ask.account);
    Account& account = accounts_.at(ask.account);
    const Units had_returned = lease->returned;
    take_back(account, *lease, ask, now);
    hear(account, *lease, lease->returned > had_returned);
    lease->expires_at = now + kAllowanceTime;
    const Units already = std::max(Units(), lease->granted - ask.known);
    const Units free = limit ? *limit - settled - reserved(account) : kUnitsMax;
    const Units more = slice(free, ask, already, std::max<std::size_t>(1, replicas_live(now)));
    lease->granted += more;
    answer.granted = lease->granted;
    answer.remaining = limit ? std::max(Units(), free - more) : kUnitsMax;
    if (!more.is_zero()) forget_recall(account, *lease);
    if (more + already < ask.needed) {
        account.short_until = now + kShortFor;
        account.short_replica = replica;
        answer.recalled = recall_for(account, *lease, now);
    }
    answer.wanted_back = free < Units() ||  // the limit was lowered
                         (now < account.short_until && account.short_replica != replica);
    return answer;
}

void AllowanceAuthority::take_back(
    Account& account, AllowanceLease& lease, const AllowanceAsk& ask, Time now
) {
    const Units returned = std::clamp(ask.returned, lease.returned, lease.granted - lease.drawn);
    const Units now_returned = returned - lease.returned;
    if (now_returned.is_zero()) return;
    lease.returned = returned;
    if (!is_per_minute(ask.account.measure)) return;
    // What stays with the gateway covers what it used; only what it used beyond that rests.
    Units rests = now_returned;
    if (ask.used_in_minute)
        rests = std::clamp(
            *ask.used_in_minute - (lease.granted - lease.returned), Units(), now_returned
        );
    if (!rests.is_zero()) account.cooling.push_back({rests, cooled(now)});
}

// Who gave something back may have more, and is told again when that was not enough.
void AllowanceAuthority::hear(Account& account, const AllowanceLease& lease, bool gave_back) {
    const auto recall = std::ranges::find(account.recalls, lease.id, &Recall::lease);
    if (recall == account.recalls.end() || !recall->told) return;
    if (gave_back)
        account.recalls.erase(recall);
    else
        recall->answered = true;
}

void AllowanceAuthority::forget_recall(Account& account, const AllowanceLease& lease) {
    std::erase_if(account.recalls, [&](const Recall& recall) { return recall.lease == lease.id; });
}

// Whether something may come back in a moment from the others that have a part of the account.
bool AllowanceAuthority::recall_for(Account& account, const AllowanceLease& lease, Time now) {
    bool waits = false;
    for (const AllowanceLease& other : account.leases) {
        const auto holder = replicas_.find(other.replica);
        const bool lives =
            holder != replicas_.end() && now - holder->second.seen_at < kReplicaLives;
        if (other.id == lease.id || !lives || other.outstanding() <= Units()) continue;
        auto recall = std::ranges::find(account.recalls, other.id, &Recall::lease);
        const bool known = recall != account.recalls.end();
        if (!known || now - recall->begun >= (recall->answered ? kRecallPause : kRecallAgain)) {
            if (!known) recall = account.recalls.insert(recall, Recall());
            *recall = {.lease = other.id, .begun = now};
            recalled_[other.replica].insert(other.id);
        }
        waits = waits || (!recall->answered && now - recall->begun < kRecallFor);
    }
    return waits;
}

std::vector<LeaseId> AllowanceAuthority::take_recalled(const std::string& replica) {
    const auto found = recalled_.find(replica);
    if (found == recalled_.end()) return {};
    std::vector<LeaseId> leases(found->second.begin(), found->second.end());
    recalled_.erase(found);
    for (const LeaseId& lease : leases) {
        const auto account = by_lease_.find(lease);
        if (account == by_lease_.end()) continue;
        for (Recall& recall : accounts_.at(account->second).recalls)
            recall.told = recall.told || recall.lease == lease;
    }
    return leases;
}

Result<AllowanceLease*> AllowanceAuthority::open(
    const AllowanceAsk& ask, const std::string& replica, std::int64_t epoch
) {
    if (accounts_.size() >= kAccountsMax && !accounts_.contains(ask.account))
        return fail(
            ErrorCode::resource_exhausted, "the server keeps as many limits in use as it may"
        );
    Account& account = accounts_[ask.account];
    if (account.leases.size() >= kLeasesPerAccountMax)
        return fail(ErrorCode::resource_exhausted, "too many gateways use this limit at one time");
    by_lease_[ask.lease_id] = ask.account;
    AllowanceLease lease;
    lease.id = ask.lease_id;
    lease.replica = replica;
    lease.epoch = epoch;
    account.leases.push_back(std::move(lease));
    return &account.leases.back();
}

bool AllowanceAuthority::draw(LeaseId id, Units amount) {
    AllowanceLease* lease = find(id);
    if (lease == nullptr) return false;
    const AllowanceAccount& account = by_lease_.at(id);
    CHECK(is_consumed(account.measure), "calls record the leases of what they consume");
    // A gateway charges within its grant; a record beyond it is another one's mistake.
    const Units drawn = std::min(amount, lease->outstanding());
    lease->drawn += drawn;
    touch(account);
    return drawn == amount;
}

Units AllowanceAuthority::reserved(const Account& account) {
    Units sum;
    for (const AllowanceLease& lease : account.leases) sum += lease.outstanding();
    for (const CoolingShare& share : account.cooling) sum += share.share;
    return sum;
}

Units AllowanceAuthority::reserved(const AllowanceAccount& key) const {
    const auto found = accounts_.find(key);
    return found == accounts_.end() ? Units() : reserved(found->second);
}

const AllowanceAccount* AllowanceAuthority::account_of(LeaseId id) const {
    const auto found = by_lease_.find(id);
    return found == by_lease_.end() ? nullptr : &found->second;
}

AllowanceLease* AllowanceAuthority::find(LeaseId id) {
    const auto account = by_lease_.find(id);
    if (account == by_lease_.end()) return nullptr;
    std::vector<AllowanceLease>& leases = accounts_.at(account->second).leases;
    const auto lease = std::ranges::find(leases, id, &AllowanceLease::id);
    CHECK(lease != leases.end(), "the index follows the leases");
    return &*lease;
}

std::size_t AllowanceAuthority::replicas_live(Time now) const {
    return static_cast<std::size_t>(std::ranges::count_if(replicas_, [&](const auto& entry) {
        return now - entry.second.seen_at < kReplicaLives;
    }));
}

void AllowanceAuthority::visit_leases(std::string_view subject, const Visit& visit) const {
    AllowanceAccount first;
    first.subject = subject;
    for (auto at = subject.empty() ? accounts_.begin() : accounts_.lower_bound(first);
         at != accounts_.end() && (subject.empty() || at->first.subject == subject); ++at)
        for (const AllowanceLease& lease : at->second.leases) visit(at->first, lease);
}

bool AllowanceAuthority::is_over(const AllowanceLease& lease, Time now) const {
    return now >= std::max(lease.expires_at + kAllowanceGrace, kept_until_) ||
           // Nothing is left in it, and its gateway has not asked for long.
           (lease.outstanding().is_zero() && now >= lease.expires_at);
}

bool AllowanceAuthority::sweep_one(Account& account, Time now) {
    const std::size_t before = account.leases.size() + account.cooling.size();
    std::erase_if(account.leases, [&](const AllowanceLease& lease) {
        if (!is_over(lease, now)) return false;
        by_lease_.erase(lease.id);
        return true;
    });
    std::erase_if(account.cooling, [&](const CoolingShare& share) { return now >= share.until; });
    std::erase_if(account.recalls, [&](const Recall& recall) {
        return now - recall.begun >= kRecallAgain;
    });
    return account.leases.size() + account.cooling.size() != before;
}

void AllowanceAuthority::sweep(Time now) {
    auto at = accounts_.upper_bound(swept_to_);
    for (std::size_t n = 0; n < kSweepMax && at != accounts_.end(); ++n) {
        swept_to_ = at->first;
        if (sweep_one(at->second, now)) touch(at->first);
        const bool empty = at->second.leases.empty() && at->second.cooling.empty();
        at = empty ? accounts_.erase(at) : std::next(at);
    }
    if (at == accounts_.end()) swept_to_ = {};
}

void AllowanceAuthority::keep_until(Time until) { kept_until_ = until; }

AllowanceAuthority::Touched AllowanceAuthority::take_touched() {
    Touched out;
    for (const auto& [key, unused] : touched_) {
        AllowanceState state{.account = key};
        if (const auto found = accounts_.find(key); found != accounts_.end()) {
            state.leases = found->second.leases;
            state.cooling = found->second.cooling;
        }
        if (key.measure == Measure::wallet) out.wallets.push_back(key);
        out.accounts.push_back(std::move(state));
    }
    for (const auto& [name, unused] : touched_replicas_) out.replicas.push_back(replicas_.at(name));
    touched_.clear();
    touched_replicas_.clear();
    return out;
}

void AllowanceAuthority::restore(AllowanceState state) {
    for (const AllowanceLease& lease : state.leases) by_lease_[lease.id] = state.account;
    Account& account = accounts_[state.account];
    account.leases = std::move(state.leases);
    account.cooling = std::move(state.cooling);
}

void AllowanceAuthority::restore(ReplicaState state) {
    std::string name = state.replica;
    replicas_[std::move(name)] = std::move(state);
}

}  // namespace penstock::routing
