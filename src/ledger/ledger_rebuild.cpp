// SPDX-License-Identifier: Apache-2.0
// Rebuilding a ledger from rows, and showing that it is what its rows say.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ledger/ledger_state.h"

namespace penstock::ledger {
namespace {

std::unexpected<Error> corrupt(const std::string& what) {
    return fail(
        ErrorCode::internal,
        "the ledger's rows contradict each other: " + what + "; restore the store from a backup"
    );
}

// What the caller had asked for when it led to this row.
TransferRequest request_of(const Transfer& row) {
    TransferRequest request{
        .id = row.id,
        .kind = row.kind,
        .pending_id = row.pending_id,
        .code = row.code,
        .ref_type = row.ref_type,
        .ref_id = row.ref_id,
    };
    if (row.kind == TransferKind::single || row.kind == TransferKind::pending) {
        request.debit = row.debit;
        request.credit = row.credit;
        request.amount = row.amount;
        request.deadline = row.deadline;
    } else if (row.kind == TransferKind::post) {
        request.amount = row.amount;
    }
    return request;
}

std::string render_account(const Account& a) {
    return fmt::format(
        "account {} {} {} owner=\"{}\" {}{}{} dr_pend={} dr_post={} cr_pend={} cr_post={} "
        "version={}\n",
        to_string(a.id()), a.spec.asset, to_string(a.spec.kind), a.spec.owner,
        a.spec.debits_not_over_credits ? 'd' : '-', a.spec.credits_not_over_debits ? 'c' : '-',
        a.closed ? 'x' : '-', a.dr_pend.micro(), a.dr_post.micro(), a.cr_pend.micro(),
        a.cr_post.micro(), a.version
    );
}

}  // namespace

// Applies a stored row by the rules that let it in, so that a row which breaks them is found.
Result<void> Ledger::State::replay_row(const Transfer& row) {
    const auto bad = [&](std::string_view why) {
        return corrupt(fmt::format("transfer {} ({}): {}", row.seq, to_string(row.id), why));
    };
    if (row.seq != history.last_seq() + 1) return bad("there is a gap in seq before it");
    if (row.chain == 0 || row.chain > row.seq || row.seq - row.chain >= kChainMembersMax)
        return bad("its chain does not begin before it");
    if (clamp(row.ts) != row.ts) return bad("its time runs back");
    if (history.find(row.id.raw()).index() != 0) return bad("its id is used twice");
    const TransferRequest request = request_of(row);
    const bool own = row.kind == TransferKind::expire;
    const Reason well_formed = own ? Reason::ok : check_request(request);
    if (well_formed != Reason::ok) return bad(to_string(well_formed));
    if (own && row.id.raw() != RawId{kReservedHigh, row.seq})
        return bad("its id is not the platform's");
    const Reason reason = check(request, row.ts);
    if (reason != Reason::ok) return bad(to_string(reason));
    if (row_of(request, row.request_hash, row.chain, row.ts) != row)
        return bad("its accounts or amount are not those of its hold");
    apply(row);
    return {};
}

Result<Ledger> Ledger::replay(
    std::span<const AccountSpec> accounts, std::span<const Transfer> transfers,
    LedgerOptions options
) {
    auto state = std::make_unique<State>(options);
    for (const AccountSpec& spec : accounts) {
        if (state->account(spec.id) != nullptr)
            return corrupt("two accounts " + to_string(spec.id));
        state->add_account(spec);
    }
    for (const Transfer& transfer : transfers) TRY(state->replay_row(transfer));
    return Ledger(std::move(state));
}

Result<Ledger> Ledger::restore(Rows rows, LedgerOptions options) {
    std::vector<AccountSpec> specs;
    specs.reserve(rows.accounts.size());
    for (const Account& account : rows.accounts) specs.push_back(account.spec);
    std::ranges::sort(rows.transfers, {}, &Transfer::seq);
    Ledger ledger = TRY(replay(specs, rows.transfers, options));
    State& state = *ledger.state_;
    for (const Account& stored : rows.accounts) {
        Account& derived = *state.account(stored.id());
        derived.closed = stored.closed;
        if (derived != stored)
            return corrupt(
                "the balances of account " + to_string(stored.id()) + " are not its transfers'"
            );
    }
    std::size_t holds = 0;
    for (std::uint64_t seq = 1; seq <= state.history.last_seq(); ++seq)
        holds += state.history.row(seq).kind == TransferKind::pending ? 1 : 0;
    if (holds != rows.holds.size())
        return corrupt(fmt::format("{} pending transfers, {} holds", holds, rows.holds.size()));
    for (const Hold& stored : rows.holds) {
        const auto found = state.history.find(stored.pending_id.raw());
        const auto* seq = std::get_if<std::uint64_t>(&found);
        if (seq == nullptr || state.hold_of(*seq) != stored)
            return corrupt(
                "hold " + to_string(stored.pending_id) + " is not what its transfers say"
            );
    }
    for (const BurntId& burnt : rows.burnt) {
        if (state.history.find(burnt.id.raw()).index() != 0)
            return corrupt("the burnt id " + to_string(burnt.id) + " is used twice");
        state.history.burn(burnt);
    }
    return ledger;
}

Result<void> Ledger::State::verify_sums() const {
    struct Sums {
        __int128 dr_pend = 0, dr_post = 0, cr_pend = 0, cr_post = 0;
    };
    std::map<std::string_view, Sums> assets;
    for (const Account& a : accounts) {
        Sums& sums = assets[a.spec.asset];
        sums.dr_pend += a.dr_pend.micro();
        sums.dr_post += a.dr_post.micro();
        sums.cr_pend += a.cr_pend.micro();
        sums.cr_post += a.cr_post.micro();
        if (a.spec.debits_not_over_credits && a.available().is_negative())
            return corrupt("account " + to_string(a.id()) + " is overdrawn");
        if (a.spec.credits_not_over_debits &&
            static_cast<__int128>(a.cr_pend.micro()) + a.cr_post.micro() > a.dr_post.micro())
            return corrupt("account " + to_string(a.id()) + " has more credits than debits");
    }
    for (const auto& [asset, sums] : assets)
        if (sums.dr_post != sums.cr_post || sums.dr_pend != sums.cr_pend)
            return corrupt("debits and credits of " + std::string(asset) + " do not balance");
    return {};
}

Result<void> Ledger::verify() const {
    TRY(state_->verify_sums());
    std::map<AccountId, __int128> held;
    for (const auto& [seq, hold] : state_->open_holds) {
        held[hold.debit] += hold.amount.micro();
        if (hold.deadline && !state_->deadlines.contains({*hold.deadline, seq}))
            return corrupt("hold " + to_string(hold.pending_id) + " would never expire");
    }
    std::vector<AccountSpec> specs;
    for (const Account& account : state_->accounts) {
        specs.push_back(account.spec);
        if (held[account.id()] != account.dr_pend.micro())
            return corrupt(
                "the open holds of account " + to_string(account.id()) +
                " are not its pending debits"
            );
    }
    std::vector<Transfer> transfers;
    transfers.reserve(last_seq());
    for (std::uint64_t seq = 1; seq <= last_seq(); ++seq) transfers.push_back(state_->unpack(seq));
    Ledger again = TRY(replay(specs, transfers));
    for (const Account& account : state_->accounts)
        again.state_->account(account.id())->closed = account.closed;
    if (again.render() != render()) return corrupt("replaying the transfers gives other balances");
    return {};
}

std::string Ledger::render() const {
    std::string text;
    for (const Account* account : accounts()) text += render_account(*account);
    for (const auto& [seq, hold] : state_->open_holds)
        text += fmt::format("hold {} amount={}\n", to_string(hold.pending_id), hold.amount.micro());
    for (std::uint64_t seq = 1; seq <= last_seq(); ++seq)
        text += "transfer " + ledger::render(state_->unpack(seq)) + "\n";
    return text;
}

}  // namespace penstock::ledger
