// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "ledger/ledger_state.h"

namespace penstock::ledger {

const Account* Ledger::find_account(AccountId id) const { return state_->account(id); }

std::vector<const Account*> Ledger::accounts() const {
    std::vector<const Account*> all;
    all.reserve(state_->accounts.size());
    for (const Account& account : state_->accounts) all.push_back(&account);
    std::ranges::sort(all, {}, [](const Account* account) { return account->id(); });
    return all;
}

std::vector<const Account*> Ledger::accounts_of(std::string_view owner) const {
    std::vector<const Account*> found;
    const auto owned = state_->accounts_by_owner.find(owner);
    if (owned == state_->accounts_by_owner.end()) return found;
    for (const AccountIndex index : owned->second) found.push_back(&state_->accounts[index]);
    std::ranges::sort(found, {}, [](const Account* account) { return account->id(); });
    return found;
}

std::optional<Transfer> Ledger::find_transfer(TransferId id) const {
    const auto found = state_->history.find(id.raw());
    const auto* seq = std::get_if<std::uint64_t>(&found);
    return seq == nullptr ? std::nullopt : std::optional(state_->unpack(*seq));
}

std::optional<Transfer> Ledger::transfer_at(std::uint64_t seq) const {
    if (seq == 0 || seq > last_seq()) return std::nullopt;
    return state_->unpack(seq);
}

const Hold* Ledger::find_hold(TransferId pending_id) const {
    const auto found = state_->history.find(pending_id.raw());
    const auto* seq = std::get_if<std::uint64_t>(&found);
    if (seq == nullptr) return nullptr;
    const auto hold = state_->open_holds.find(*seq);
    return hold == state_->open_holds.end() ? nullptr : &hold->second;
}

HoldState Ledger::hold_state(const Transfer& pending) const {
    CHECK(
        pending.kind == TransferKind::pending && pending.seq != 0 && pending.seq <= last_seq(),
        "only a pending transfer of this ledger has a hold"
    );
    return state_->history.row(pending.seq).hold_state;
}

std::vector<const Hold*> Ledger::open_holds(AccountId debit) const {
    std::vector<const Hold*> holds;
    const auto index = state_->account_index.find(debit);
    if (index == state_->account_index.end()) return holds;
    const auto first = state_->holds_by_debit.lower_bound({index->second, 0});
    for (auto at = first; at != state_->holds_by_debit.end() && at->first == index->second; ++at)
        holds.push_back(&state_->open_holds.at(at->second));
    return holds;
}

std::size_t Ledger::open_hold_count() const { return state_->open_holds.size(); }

// Follows the chain of rows that `previous` links, from `newest` down to below `before_seq`.
template <class Belongs, class Previous>
TransferPage page_of(
    const Ledger::State& state, std::uint64_t newest, std::uint64_t before_seq, std::size_t limit,
    Belongs belongs, Previous previous
) {
    std::uint64_t seq = newest;
    // The next page is asked for with a row of this one: its link saves walking to it again.
    if (before_seq != 0 && before_seq <= state.history.last_seq() &&
        belongs(state.history.row(before_seq)))
        seq = previous(state.history.row(before_seq));
    TransferPage page;
    for (; seq != 0; seq = previous(state.history.row(seq))) {
        if (before_seq != 0 && seq >= before_seq) continue;
        page.more = page.rows.size() == std::min(limit, kPageMax);
        if (page.more) return page;
        page.rows.push_back(state.unpack(seq));
    }
    return page;
}

TransferPage Ledger::transfers_of(AccountId account, std::uint64_t before_seq, std::size_t limit)
    const {
    const auto found = state_->account_index.find(account);
    if (found == state_->account_index.end()) return {};
    const AccountIndex index = found->second;
    return page_of(
        *state_, state_->accounts[index].version, before_seq, limit,
        [=](const History::Row& row) { return row.debit == index || row.credit == index; },
        [=](const History::Row& row) {
            return row.debit == index ? row.previous_of_debit : row.previous_of_credit;
        }
    );
}

TransferPage Ledger::transfers_by_ref(
    std::string_view ref_type, std::string_view ref_id, std::uint64_t before_seq, std::size_t limit
) const {
    const std::uint64_t newest = state_->history.newest_by_ref(ref_type, ref_id);
    if (newest == 0) return {};
    const std::uint32_t ref = state_->history.row(newest).ref;
    return page_of(
        *state_, newest, before_seq, limit, [=](const History::Row& row) { return row.ref == ref; },
        [](const History::Row& row) { return row.previous_of_ref; }
    );
}

std::uint64_t Ledger::last_seq() const { return state_->history.last_seq(); }

Time Ledger::last_ts() const { return state_->clamp(Time::min()); }

}  // namespace penstock::ledger
