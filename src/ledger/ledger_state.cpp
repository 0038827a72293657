// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger_state.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::ledger {
namespace {

Money plus(Money left, Money right) {
    const Result<Money> sum = add(left, right);
    CHECK(sum.has_value(), "check() refused transfers whose totals overflow");
    return *sum;
}
Money minus(Money left, Money right) {
    const Result<Money> difference = subtract(left, right);
    CHECK(
        difference.has_value() && !difference->is_negative(), "only what was added is taken back"
    );
    return *difference;
}

// pended + posted + amount, or nothing where 64 bits do not hold it.
std::optional<Money> total(Money pended, Money posted, Money amount) {
    const Result<Money> taken = add(pended, posted);
    const Result<Money> sum = taken ? add(*taken, amount) : taken;
    return sum ? std::optional(*sum) : std::nullopt;
}

HoldState resolved_state(TransferKind kind) {
    if (kind == TransferKind::post) return HoldState::posted;
    return kind == TransferKind::void_ ? HoldState::voided : HoldState::expired;
}

Reason refusal_of(HoldState state) {
    if (state == HoldState::posted) return Reason::hold_already_posted;
    return state == HoldState::voided ? Reason::hold_already_voided : Reason::hold_expired;
}

}  // namespace

Account* Ledger::State::account(AccountId id) {
    const auto found = account_index.find(id);
    return found == account_index.end() ? nullptr : &accounts[found->second];
}

AccountIndex Ledger::State::index_of(AccountId id) const {
    const auto found = account_index.find(id);
    CHECK(found != account_index.end(), "check() refused unknown accounts");
    return found->second;
}

void Ledger::State::add_account(const AccountSpec& spec) {
    const auto index = static_cast<AccountIndex>(accounts.size());
    account_index.emplace(spec.id, index);
    accounts_by_owner[spec.owner].push_back(index);
    accounts.push_back(Account{.spec = spec});
}

Time Ledger::State::clamp(Time now) const {
    if (history.last_seq() == 0) return now;
    return std::max(now, Time(Duration(history.row(history.last_seq()).ts)));
}

Reason Ledger::State::check(const TransferRequest& request, Time ts) {
    if (history.last_seq() >= kTransfersMax) return Reason::seq_exhausted;
    const bool moves =
        request.kind == TransferKind::single || request.kind == TransferKind::pending;
    return moves ? check_movement(request, ts) : check_resolution(request, ts);
}

Reason Ledger::State::check_movement(const TransferRequest& request, Time ts) {
    const Account* debit = account(request.debit);
    const Account* credit = account(request.credit);
    if (debit == nullptr) return Reason::debit_not_found;
    if (credit == nullptr) return Reason::credit_not_found;
    if (debit->closed || credit->closed) return Reason::account_closed;
    if (debit->spec.asset != credit->spec.asset) return Reason::assets_differ;
    if (request.deadline && *request.deadline <= ts) return Reason::deadline_passed;
    const Money amount = request.amount.value_or(Money());
    // Checked with holds included, so that posting a granted hold can neither overflow nor pass a
    // limit.
    const std::optional<Money> debits = total(debit->dr_pend, debit->dr_post, amount);
    const std::optional<Money> credits = total(credit->cr_pend, credit->cr_post, amount);
    if (!debits || !credits) return Reason::overflow;
    if (debit->spec.debits_not_over_credits && *debits > debit->cr_post)
        return Reason::debit_over_available;
    if (credit->spec.credits_not_over_debits && *credits > credit->dr_post)
        return Reason::credit_over_limit;
    return Reason::ok;
}

Reason Ledger::State::check_resolution(const TransferRequest& request, Time ts) const {
    const auto found = history.find(request.pending_id.raw());
    const auto* seq = std::get_if<std::uint64_t>(&found);
    if (seq == nullptr) return Reason::hold_not_found;
    const History::Row& pending = history.row(*seq);
    if (pending.kind != TransferKind::pending) return Reason::hold_not_found;
    if (pending.hold_state != HoldState::open) return refusal_of(pending.hold_state);
    const bool late = pending.deadline != History::kNoDeadline &&
                      pending.deadline <= ts.time_since_epoch().count();
    if (request.kind == TransferKind::expire) return late ? Reason::ok : Reason::hold_not_found;
    if (late) return Reason::hold_expired;
    if (request.amount && request.amount->micro() > pending.amount) return Reason::amount_over_hold;
    return Reason::ok;
}

Transfer Ledger::State::row_of(
    const TransferRequest& request, const RequestHash& hash, std::uint64_t chain, Time ts
) {
    Transfer row{
        .seq = history.last_seq() + 1,
        .id = request.id,
        .request_hash = hash,
        .debit = request.debit,
        .credit = request.credit,
        .amount = request.amount.value_or(Money()),
        .kind = request.kind,
        .pending_id = request.pending_id,
        .chain = chain,
        .deadline = request.deadline,
        .code = request.code,
        .ref_type = request.ref_type,
        .ref_id = request.ref_id,
        .ts = ts,
    };
    if (!request.pending_id.is_nil()) {
        const auto found = history.find(request.pending_id.raw());
        const Hold hold = hold_of(std::get<std::uint64_t>(found));
        row.debit = hold.debit;
        row.credit = hold.credit;
        row.amount = request.amount.value_or(hold.amount);
    }
    return row;
}

void Ledger::State::open_hold(std::uint64_t seq, const Hold& hold) {
    if (hold.deadline) deadlines.emplace(*hold.deadline, seq);
    holds_by_debit.emplace(index_of(hold.debit), seq);
    open_holds.emplace(seq, hold);
}

void Ledger::State::close_hold(std::uint64_t seq) {
    const auto found = open_holds.find(seq);
    CHECK(found != open_holds.end(), "a hold is resolved at most once");
    if (const std::optional<Time>& deadline = found->second.deadline)
        deadlines.erase({*deadline, seq});
    holds_by_debit.erase({index_of(found->second.debit), seq});
    open_holds.erase(found);
}

void Ledger::State::apply(const Transfer& t) {
    const AccountIndex debit_index = index_of(t.debit), credit_index = index_of(t.credit);
    Account& debit = accounts[debit_index];
    Account& credit = accounts[credit_index];
    History::Row row{
        .id = t.id.raw(),
        .hash = t.request_hash.value,
        .amount = t.amount.micro(),
        .ts = t.ts.time_since_epoch().count(),
        .deadline = t.deadline ? t.deadline->time_since_epoch().count() : History::kNoDeadline,
        .debit = debit_index,
        .credit = credit_index,
        .previous_of_debit = static_cast<std::uint32_t>(debit.version),
        .previous_of_credit = static_cast<std::uint32_t>(credit.version),
        .chain_offset = static_cast<std::uint16_t>(t.seq - t.chain),
        .kind = t.kind,
        .code = t.code,
    };
    if (t.kind == TransferKind::single || t.kind == TransferKind::post) {
        debit.dr_post = plus(debit.dr_post, t.amount);
        credit.cr_post = plus(credit.cr_post, t.amount);
    }
    if (t.kind == TransferKind::pending) {
        debit.dr_pend = plus(debit.dr_pend, t.amount);
        credit.cr_pend = plus(credit.cr_pend, t.amount);
        open_hold(t.seq, Hold{t.id, t.debit, t.credit, t.amount, t.deadline, HoldState::open});
    } else if (t.kind != TransferKind::single) {
        const std::uint64_t pending_seq = std::get<std::uint64_t>(history.find(t.pending_id.raw()));
        const Money held = Money::micro(history.row(pending_seq).amount);
        debit.dr_pend = minus(debit.dr_pend, held);
        credit.cr_pend = minus(credit.cr_pend, held);
        close_hold(pending_seq);
        history.set_hold_state(pending_seq, resolved_state(t.kind));
        row.pending_seq = static_cast<std::uint32_t>(pending_seq);
    }
    debit.version = credit.version = t.seq;
    history.append(row, t.ref_type, t.ref_id);
}

void Ledger::State::unapply_last() {
    const std::uint64_t seq = history.last_seq();
    const History::Row row = history.row(seq);
    Account& debit = accounts[row.debit];
    Account& credit = accounts[row.credit];
    const Money amount = Money::micro(row.amount);
    if (row.kind == TransferKind::single || row.kind == TransferKind::post) {
        debit.dr_post = minus(debit.dr_post, amount);
        credit.cr_post = minus(credit.cr_post, amount);
    }
    if (row.kind == TransferKind::pending) {
        debit.dr_pend = minus(debit.dr_pend, amount);
        credit.cr_pend = minus(credit.cr_pend, amount);
        close_hold(seq);
    } else if (row.kind != TransferKind::single) {
        const Money held = Money::micro(history.row(row.pending_seq).amount);
        debit.dr_pend = plus(debit.dr_pend, held);
        credit.cr_pend = plus(credit.cr_pend, held);
        history.set_hold_state(row.pending_seq, HoldState::open);
        open_hold(row.pending_seq, hold_of(row.pending_seq));
    }
    debit.version = row.previous_of_debit;
    credit.version = row.previous_of_credit;
    history.remove_last();
}

std::vector<Answer> Ledger::State::try_chain(
    std::span<const TransferRequest> chain, const RequestHash& hash, Time ts
) {
    const std::uint64_t first_seq = history.last_seq() + 1;
    std::vector<Answer> answers(chain.size());
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const Reason reason = check(chain[i], ts);
        if (reason != Reason::ok) {
            while (history.last_seq() >= first_seq) unapply_last();
            for (std::size_t k = 0; k < chain.size(); ++k)
                answers[k] = Answer{chain[k].id, k == i ? reason : Reason::linked_failed, 0};
            return answers;
        }
        apply(row_of(chain[i], member_hash(hash, i), first_seq, ts));
        answers[i] = Answer{chain[i].id, Reason::ok, history.last_seq()};
    }
    return answers;
}

std::vector<Answer> Ledger::State::recall(
    std::span<const TransferRequest> chain, const RequestHash& hash
) const {
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const auto found = history.find(chain[i].id.raw());
        const auto* seq = std::get_if<std::uint64_t>(&found);
        const auto* burnt = std::get_if<const BurntId*>(&found);
        if (seq == nullptr && burnt == nullptr) continue;
        const RawId known = seq != nullptr ? history.row(*seq).hash : (*burnt)->request_hash.value;
        if (known == member_hash(hash, i).value && answers.size() == i) {
            answers.push_back(
                seq != nullptr ? Answer{chain[i].id, Reason::ok, *seq}
                               : Answer{chain[i].id, (*burnt)->reason, 0}
            );
            continue;
        }
        answers.clear();
        for (std::size_t k = 0; k < chain.size(); ++k)
            answers.push_back({chain[k].id, k == i ? Reason::id_reused : Reason::linked_failed, 0});
        return answers;
    }
    CHECK(
        answers.empty() || answers.size() == chain.size(),
        "the hash covers the whole chain, and a chain is remembered whole"
    );
    return answers;
}

Transfer Ledger::State::unpack(std::uint64_t seq) const {
    const History::Row& row = history.row(seq);
    const History::Ref& ref = history.ref_of(row);
    Transfer t{
        .seq = seq,
        .id = TransferId(row.id),
        .request_hash = RequestHash{row.hash},
        .debit = accounts[row.debit].id(),
        .credit = accounts[row.credit].id(),
        .amount = Money::micro(row.amount),
        .kind = row.kind,
        .chain = seq - row.chain_offset,
        .code = row.code,
        .ref_type = ref.type,
        .ref_id = ref.id,
        .ts = Time(Duration(row.ts)),
    };
    if (row.pending_seq != 0) t.pending_id = TransferId(history.row(row.pending_seq).id);
    if (row.deadline != History::kNoDeadline) t.deadline = Time(Duration(row.deadline));
    return t;
}

Hold Ledger::State::hold_of(std::uint64_t pending_seq) const {
    const History::Row& row = history.row(pending_seq);
    Hold hold{
        .pending_id = TransferId(row.id),
        .debit = accounts[row.debit].id(),
        .credit = accounts[row.credit].id(),
        .amount = Money::micro(row.amount),
        .state = row.hold_state,
    };
    if (row.deadline != History::kNoDeadline) hold.deadline = Time(Duration(row.deadline));
    return hold;
}

Rows Ledger::State::rows_since(std::uint64_t first_seq) const {
    Rows rows;
    std::vector<AccountIndex> touched;
    std::vector<std::uint64_t> holds;
    if (first_seq > history.last_seq()) return rows;
    rows.transfers.reserve(history.last_seq() - first_seq + 1);
    touched.reserve(rows.transfers.capacity() * 2);
    for (std::uint64_t seq = first_seq; seq <= history.last_seq(); ++seq) {
        const History::Row& row = history.row(seq);
        rows.transfers.push_back(unpack(seq));
        touched.push_back(row.debit);
        touched.push_back(row.credit);
        if (row.kind == TransferKind::pending) holds.push_back(seq);
        if (row.pending_seq != 0) holds.push_back(row.pending_seq);
    }
    std::ranges::sort(touched);
    touched.erase(std::ranges::unique(touched).begin(), touched.end());
    rows.accounts.reserve(touched.size());
    for (const AccountIndex index : touched) rows.accounts.push_back(accounts[index]);
    std::ranges::sort(holds);
    holds.erase(std::ranges::unique(holds).begin(), holds.end());
    for (const std::uint64_t seq : holds) rows.holds.push_back(hold_of(seq));
    return rows;
}

}  // namespace penstock::ledger
