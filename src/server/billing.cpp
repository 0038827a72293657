// SPDX-License-Identifier: Apache-2.0
#include "server/billing.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::server {

using ledger::AccountKind;
using ledger::TransferCode;
using ledger::TransferKind;
using ledger::TransferRequest;

namespace {

constexpr std::string_view kPlatformOwner = "platform";

}  // namespace

ledger::AccountId Billing::account(const std::string& owner, AccountKind kind) const {
    for (const ledger::Account* found : platform_.ledger.accounts_of(owner))
        if (found->spec.kind == kind) return found->id();
    CHECK(false, "open_accounts ran for every organisation before it could spend or earn");
    return {};
}

Result<void> Billing::open(Change& change, const std::string& owner, AccountKind kind) {
    for (const ledger::Account* found : platform_.ledger.accounts_of(owner))
        if (found->spec.kind == kind) return {};
    ledger::AccountSpec spec{
        .id = platform_.make_id<ledger::AccountId>(), .asset = "CNY", .kind = kind, .owner = owner
    };
    // The bank is the world outside: it may owe without end. Everybody else spends what is there.
    spec.debits_not_over_credits = kind != AccountKind::bank;
    change.batch.add(TRY(platform_.ledger.open_account(spec)).rows);
    return {};
}

Result<void> Billing::open_accounts(Change& change, const Organisation& organisation) {
    for (const AccountKind kind : {AccountKind::bank, AccountKind::platform_fee})
        TRY(open(change, std::string(kPlatformOwner), kind));
    for (const AccountKind kind :
         {AccountKind::consumer_prepaid, AccountKind::contract_escrow, AccountKind::lease_pool,
          AccountKind::provider_payable})
        TRY(open(change, to_string(organisation.id), kind));
    return {};
}

ledger::TransferId Billing::transfer_id() { return platform_.make_id<ledger::TransferId>(); }

ledger::ChainResult Billing::submit(Change& change, const std::vector<TransferRequest>& chain) {
    ledger::ChainResult result = platform_.ledger.submit(chain, platform_.now());
    change.batch.add(result.rows);
    return result;
}

Result<Wallet> Billing::top_up(
    Change& change, OrganisationId organisation, Money amount, const std::string& reference,
    TransferCode code
) {
    if (amount <= Money())
        return fail_field(
            ErrorCode::invalid_argument, "amount", "must be above zero, for instance 100.00"
        );
    if (reference.empty() || reference.size() > 200)
        return fail_field(
            ErrorCode::invalid_argument, "reference",
            "must have 1 to 200 characters: it makes sure that one payment counts once"
        );
    const std::string owner = to_string(organisation);
    const auto known = platform_.ledger.transfers_by_ref("top_up", owner + "/" + reference, 0, 1);
    if (!known.rows.empty()) {
        if (known.rows.front().amount != amount)
            return fail_field(
                ErrorCode::conflict, "reference",
                "was credited with " + to_string(known.rows.front().amount) +
                    " before: use a new reference for another payment"
            );
        return wallet(organisation);
    }
    const TransferRequest request{
        .id = transfer_id(),
        .debit = account(std::string(kPlatformOwner), AccountKind::bank),
        .credit = account(owner, AccountKind::consumer_prepaid),
        .amount = amount,
        .code = code,
        .ref_type = "top_up",
        .ref_id = owner + "/" + reference
    };
    TRY(submit(change, {request}).result());
    if (platform_.on_work) change.after.emplace_back([this] { platform_.on_work(); });
    return wallet(organisation);
}

Wallet Billing::wallet(OrganisationId organisation) const {
    const ledger::Account& prepaid = *platform_.ledger.find_account(
        account(to_string(organisation), AccountKind::consumer_prepaid)
    );
    return {
        .account = to_string(prepaid.id()),
        .organisation_id = organisation,
        .asset = prepaid.spec.asset,
        .balance = prepaid.balance(),
        .held = prepaid.dr_pend,
        .available = prepaid.available(),
        .spent = prepaid.dr_post
    };
}

Result<Money> Billing::hold_amount(const Price& hourly, Duration span) const {
    // price per hour × seconds ÷ 3600, rounded up.
    constexpr std::int64_t kSecondsPerHour = 3600;
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(span).count();
    const ExactMoney amount = TRY(multiply(seconds, QuantityScale::one, hourly));
    return ceil_money(ExactMoney((amount.femto() + kSecondsPerHour - 1) / kSecondsPerHour));
}

Result<void> Billing::hold(
    Change& change, AttemptId attempt, OrganisationId organisation, TaskId task, Money amount
) {
    const std::string owner = to_string(organisation);
    const TransferRequest request{
        .id = transfer_id(),
        .kind = TransferKind::pending,
        .debit = account(owner, AccountKind::consumer_prepaid),
        .credit = account(owner, AccountKind::contract_escrow),
        .amount = amount,
        .code = TransferCode::hold,
        .ref_type = "task",
        .ref_id = to_string(task)
    };
    const Money available = wallet(organisation).available;
    if (available < amount)
        return fail(
            ErrorCode::insufficient_funds,
            "the wallet has " + to_string(available) + " CNY available, " + to_string(amount) +
                " are to be held: top it up, or set a budget or time_limit"
        );
    TRY(submit(change, {request}).result());
    AttemptHolds& holds = platform_.attempt_holds[attempt];
    holds.attempt_id = attempt;
    holds.pending_ids.push_back(to_string(request.id));
    platform_.put(change, holds);
    return {};
}

void Billing::expire(Change& change) {
    const Time now = platform_.now();
    for (bool more = true; more;) {
        ledger::ExpireResult expired = platform_.ledger.expire(now);
        more = expired.more;
        change.batch.add(std::move(expired.rows));
    }
    platform_.allowances.sweep(now);
    store_allowances(change);
}

Statement Billing::statement(OrganisationId organisation, AccountKind kind) const {
    const ledger::Account& shown =
        *platform_.ledger.find_account(account(to_string(organisation), kind));
    Statement statement{
        .account = to_string(shown.id()),
        .organisation_id = organisation,
        .asset = shown.spec.asset,
        .closing = shown.balance(),
        .held = shown.dr_pend
    };
    std::vector<ledger::Transfer> rows;
    for (std::uint64_t before = 0;;) {
        ledger::TransferPage page =
            platform_.ledger.transfers_of(shown.id(), before, ledger::kPageMax);
        if (!page.rows.empty()) before = page.rows.back().seq;
        std::ranges::move(page.rows, std::back_inserter(rows));
        if (!page.more) break;
    }
    Money balance;
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
        // Holds and releases move nothing: they show in `held`.
        if (row->kind != TransferKind::single && row->kind != TransferKind::post) continue;
        StatementEntry entry{
            .transfer = to_string(row->id),
            .at = row->ts,
            .code = std::string(ledger::to_string(row->code)),
            .reference = row->ref_type + "/" + row->ref_id
        };
        (row->debit == shown.id() ? entry.debit : entry.credit) = row->amount;
        balance = *subtract(*add(balance, entry.credit), entry.debit);
        entry.balance = balance;
        statement.entries.push_back(std::move(entry));
    }
    const SettlementReport all = settlement();
    statement.total_debits = all.total_debits;
    statement.total_credits = all.total_credits;
    statement.balanced = all.balanced && balance == statement.closing;
    return statement;
}

SettlementReport Billing::settlement() const {
    SettlementReport report{.transfers = static_cast<std::int64_t>(platform_.ledger.last_seq())};
    __int128 debits = 0, credits = 0, debits_pending = 0, credits_pending = 0;
    for (const ledger::Account* each : platform_.ledger.accounts()) {
        debits += each->dr_post.micro();
        credits += each->cr_post.micro();
        debits_pending += each->dr_pend.micro();
        credits_pending += each->cr_pend.micro();
        std::string party(kPlatformOwner);
        if (const Result<OrganisationId> id = OrganisationId::parse(each->spec.owner))
            if (const Organisation* organisation = platform_.directory.find_organisation(*id))
                party = organisation->name;
        if (each->spec.kind == AccountKind::consumer_prepaid && !each->dr_post.is_zero())
            report.parties.push_back({.party = party, .role = "consumer", .paid = each->dr_post});
        if (each->spec.kind == AccountKind::provider_payable && !each->cr_post.is_zero())
            report.parties.push_back({.party = party, .role = "provider", .earned = each->cr_post});
        if (each->spec.kind == AccountKind::platform_fee)
            report.parties.push_back(
                {.party = party,
                 .role = "platform",
                 .paid = each->dr_post,  // for attempts beside calls, to their suppliers
                 .earned = each->cr_post,
                 .fee = each->cr_post}
            );
    }
    report.total_debits = Money::micro(static_cast<std::int64_t>(debits));
    report.total_credits = Money::micro(static_cast<std::int64_t>(credits));
    report.balanced = debits == credits && debits_pending == credits_pending;
    return report;
}

}  // namespace penstock::server
