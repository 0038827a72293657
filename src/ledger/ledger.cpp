// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "ledger/ledger_state.h"
#include "ledger/plain_text.h"

namespace penstock::ledger {
namespace {

// Every member says why the chain cannot even be looked at; empty when it can.
std::vector<Answer> check_chain(std::span<const TransferRequest> chain) {
    std::vector<Answer> answers;
    const auto refuse = [&](std::size_t member, Reason reason) {
        for (std::size_t i = 0; i < chain.size(); ++i)
            answers.push_back({chain[i].id, i == member ? reason : Reason::linked_failed, 0});
        return answers;
    };
    if (chain.size() > kChainMembersMax) return refuse(kChainMembersMax, Reason::chain_too_long);
    for (std::size_t i = 0; i < chain.size(); ++i)
        if (const Reason reason = check_request(chain[i]); reason != Reason::ok)
            return refuse(i, reason);
    if (chain.size() < 2) return answers;
    std::vector<std::pair<TransferId, std::size_t>> ids;
    ids.reserve(chain.size());
    for (std::size_t i = 0; i < chain.size(); ++i) ids.emplace_back(chain[i].id, i);
    std::ranges::sort(ids);
    std::size_t repeated = chain.size();
    for (std::size_t i = 1; i < ids.size(); ++i)
        if (ids[i].first == ids[i - 1].first) repeated = std::min(repeated, ids[i].second);
    return repeated == chain.size() ? answers : refuse(repeated, Reason::id_reused);
}

std::string_view remedy(Reason reason) {
    switch (reason) {
        case Reason::ok:
        case Reason::linked_failed:
            return "";
        case Reason::id_reused:
            return "the id was used for another request; make a new id for a new request";
        case Reason::id_missing:
            return "an id is missing; make one and store it before sending";
        case Reason::id_reserved:
            return "ids that begin with 16 one bits are the platform's own";
        case Reason::kind_reserved:
            return "only the platform's clock writes expire transfers";
        case Reason::amount_not_positive:
            return "the amount must be more than zero (to release a hold, void it)";
        case Reason::accounts_same:
            return "debit and credit are the same account";
        case Reason::field_not_used:
            return "a field is set that this kind of transfer does not use";
        case Reason::ref_too_long:
            return "ref_type or ref_id is longer than 256 bytes";
        case Reason::ref_not_text:
            return "ref_type or ref_id is not plain UTF-8 text";
        case Reason::chain_empty:
            return "the chain has no transfer";
        case Reason::chain_too_long:
            return "a chain has at most 1024 transfers";
        case Reason::debit_not_found:
            return "the account to debit does not exist";
        case Reason::credit_not_found:
            return "the account to credit does not exist";
        case Reason::account_closed:
            return "the account is closed";
        case Reason::assets_differ:
            return "the accounts hold different assets; convert through a liquidity account";
        case Reason::debit_over_available:
            return "the account to debit has less available than the amount (holds count); top it "
                   "up, "
                   "then retry under a new id";
        case Reason::credit_over_limit:
            return "the account to credit may not be credited by that much";
        case Reason::overflow:
            return "a balance would not fit 64 bits";
        case Reason::deadline_passed:
            return "the hold's deadline is not in the future";
        case Reason::hold_not_found:
            return "there is no such hold";
        case Reason::hold_already_posted:
            return "the hold was posted before";
        case Reason::hold_already_voided:
            return "the hold was voided before";
        case Reason::hold_expired:
            return "the hold's deadline has passed and its money was released";
        case Reason::amount_over_hold:
            return "the amount is more than what is held";
        case Reason::seq_exhausted:
            return "the ledger is full: start a new one from its balances";
    }
    return "";
}

Error error_of(const Answer& answer, std::size_t member, std::size_t members) {
    const std::string place = members == 1 ? std::string("transfer")
                                           : fmt::format("transfer {} of {}", member + 1, members);
    return Error{
        error_code(answer.reason),
        fmt::format(
            "{} {} failed ({}): {}", place, to_string(answer.id), to_string(answer.reason),
            remedy(answer.reason)
        ),
    };
}

}  // namespace

bool ChainResult::ok() const { return !answers.empty() && answers.front().reason == Reason::ok; }

Result<void> ChainResult::result() const {
    if (answers.empty())
        return fail(ErrorCode::invalid_argument, std::string(remedy(Reason::chain_empty)));
    for (std::size_t i = 0; i < answers.size(); ++i)
        if (answers[i].reason != Reason::ok && answers[i].reason != Reason::linked_failed)
            return std::unexpected(error_of(answers[i], i, answers.size()));
    return {};
}

Ledger::Ledger(LedgerOptions options) : state_(std::make_unique<State>(options)) {}
Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ledger::~Ledger() = default;
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;

Result<OpenResult> Ledger::open_account(const AccountSpec& spec) {
    if (spec.id.is_nil())
        return fail_field(
            ErrorCode::invalid_argument, "id", "an account needs an id made by the caller"
        );
    for (const auto& [field, text] : {std::pair{"asset", &spec.asset}, {"owner", &spec.owner}})
        if (text->size() > kAccountTextBytesMax || !is_plain_text(*text))
            return fail_field(
                ErrorCode::invalid_argument, field, "must be plain UTF-8 text of at most 256 bytes"
            );
    if (spec.asset.empty())
        return fail_field(
            ErrorCode::invalid_argument, "asset", "is empty: write CNY or BEAN:<issuer>"
        );
    if (const Account* known = state_->account(spec.id)) {
        if (known->spec == spec) return OpenResult{*known, {}};
        return fail_field(
            ErrorCode::conflict, "id",
            "account " + to_string(spec.id) + " is open with other attributes; make a new id"
        );
    }
    state_->add_account(spec);
    OpenResult opened{state_->accounts.back(), {}};
    opened.rows.accounts.push_back(opened.account);
    return opened;
}

Result<Rows> Ledger::close_account(AccountId id) {
    Account* account = state_->account(id);
    if (account == nullptr)
        return fail(ErrorCode::not_found, "account " + to_string(id) + " does not exist");
    if (account->closed) return Rows{};
    if (!account->balance().is_zero() || !account->dr_pend.is_zero() || !account->cr_pend.is_zero())
        return fail(
            ErrorCode::conflict, "account " + to_string(id) + " has a balance of " +
                                     to_string(account->balance()) +
                                     " or open holds; move or resolve them first"
        );
    account->closed = true;
    Rows rows;
    rows.accounts.push_back(*account);
    return rows;
}

ChainResult Ledger::submit(const TransferRequest& request, Time now) {
    return submit(std::span(&request, 1), now);
}

ChainResult Ledger::submit(std::span<const TransferRequest> linked_chain, Time now) {
    ChainResult done;
    done.answers = check_chain(linked_chain);
    if (linked_chain.empty() || !done.answers.empty()) return done;
    const RequestHash hash = state_->hasher.of_chain(linked_chain);
    done.answers = state_->recall(linked_chain, hash);
    if (!done.answers.empty()) {
        done.repeated = std::ranges::find(done.answers, Reason::id_reused, &Answer::reason) ==
                        done.answers.end();
        return done;
    }
    const std::uint64_t first_seq = state_->history.last_seq() + 1;
    const Time ts = state_->clamp(now);
    done.answers = state_->try_chain(linked_chain, hash, ts);
    done.rows = state_->rows_since(first_seq);
    if (done.ok()) return done;
    for (std::size_t i = 0; i < linked_chain.size(); ++i) {
        const BurntId burnt{linked_chain[i].id, member_hash(hash, i), done.answers[i].reason, ts};
        state_->history.burn(burnt);
        done.rows.burnt.push_back(burnt);
    }
    return done;
}

std::vector<Answer> Ledger::preview(std::span<const TransferRequest> linked_chain, Time now) const {
    std::vector<Answer> answers = check_chain(linked_chain);
    if (linked_chain.empty() || !answers.empty()) return answers;
    const RequestHash hash = state_->hasher.of_chain(linked_chain);
    answers = state_->recall(linked_chain, hash);
    if (!answers.empty()) return answers;
    const std::uint64_t last_seq = state_->history.last_seq();
    answers = state_->try_chain(linked_chain, hash, state_->clamp(now));
    while (state_->history.last_seq() > last_seq) state_->unapply_last();
    return answers;
}

ExpireResult Ledger::expire(Time now) {
    ExpireResult done;
    const Time ts = state_->clamp(now);
    const std::uint64_t first_seq = state_->history.last_seq() + 1;
    while (!state_->deadlines.empty() && state_->deadlines.begin()->first <= ts) {
        const std::uint64_t seq = state_->history.last_seq() + 1;
        if (seq - first_seq == kExpirePerCallMax || seq > kTransfersMax) {
            done.more = true;
            break;
        }
        const TransferRequest request{
            .id = TransferId(RawId{kReservedHigh, seq}),
            .kind = TransferKind::expire,
            .pending_id = TransferId(state_->history.row(state_->deadlines.begin()->second).id),
            .code = TransferCode::expiry,
        };
        state_->apply(state_->row_of(request, RequestHash{}, seq, ts));
    }
    done.rows = state_->rows_since(first_seq);
    return done;
}

std::optional<Time> Ledger::next_deadline() const {
    if (state_->deadlines.empty()) return std::nullopt;
    return state_->deadlines.begin()->first;
}

}  // namespace penstock::ledger
