// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "json/codec.h"
#include "server/billing.h"

// What gateways may use of wallets and limits, and what is shown of them.
namespace penstock::server {

using ledger::AccountKind;
using ledger::TransferCode;
using ledger::TransferKind;
using ledger::TransferRequest;

namespace {

// Whose limits an account is of, with the quota of its model where it has one.
struct Subject {
    bool known = false;
    bool revoked = false;
    OrganisationId organisation_id;
    const Limits* limits = nullptr;
};

Subject find_subject(const access::Directory& directory, const std::string& text) {
    if (const Result<OrganisationId> id = OrganisationId::parse(text)) {
        const Organisation* found = directory.find_organisation(*id);
        if (found == nullptr) return {};
        return {true, false, found->id, found->limits ? &*found->limits : nullptr};
    }
    if (const Result<ProjectId> id = ProjectId::parse(text)) {
        const Project* found = directory.find_project(*id);
        if (found == nullptr) return {};
        return {true, false, found->organisation_id, found->limits ? &*found->limits : nullptr};
    }
    if (const Result<KeyId> id = KeyId::parse(text)) {
        const access::StoredKey* found = directory.find_key(*id);
        if (found == nullptr) return {};
        const Key& key = found->key;
        return {
            true, key.revoked_at.has_value(), key.organisation_id,
            key.limits ? &*key.limits : nullptr
        };
    }
    return {};
}

std::optional<Units> limit_in(const Quota& quota, Measure measure) {
    const auto count = [](const std::optional<std::int64_t>& value) {
        return value ? std::optional(Units::whole(*value)) : std::nullopt;
    };
    switch (measure) {
        case Measure::wallet:
            return std::nullopt;
        case Measure::budget:
            return quota.budget ? std::optional(Units::of(*quota.budget)) : std::nullopt;
        case Measure::requests_minute:
            return count(quota.requests_per_minute);
        case Measure::tokens_minute:
            return count(quota.tokens_per_minute);
        case Measure::requests_day:
            return count(quota.requests_per_day);
        case Measure::tokens_day:
            return count(quota.tokens_per_day);
        case Measure::concurrency:
            return count(quota.concurrency);
    }
    return std::nullopt;
}

// An account of a period that is neither now, nor just over, nor about to begin: parts of the next
// period are granted ahead, so that a gateway serves on over its beginning without the server.
bool is_out_of_time(const AllowanceAccount& account, Time now) {
    if (account.period == BudgetPeriod::none) return account.period_start != Time{};
    const Time current = period_start(account.period, now);
    const Time before = period_start(account.period, current - 1us);
    const Time ahead = period_start(account.period, now + routing::kAllowanceTime);
    return account.period_start != current && account.period_start != before &&
           account.period_start != ahead;
}

constexpr std::array kMeasures{Measure::concurrency,   Measure::requests_minute,
                               Measure::tokens_minute, Measure::requests_day,
                               Measure::tokens_day,    Measure::budget};

std::string limit_name(Measure measure) {
    switch (measure) {
        case Measure::requests_minute:
            return "requests_per_minute";
        case Measure::tokens_minute:
            return "tokens_per_minute";
        case Measure::requests_day:
            return "requests_per_day";
        case Measure::tokens_day:
            return "tokens_per_day";
        case Measure::wallet:
        case Measure::budget:
        case Measure::concurrency:
            return json::Codec<Measure>::name(measure);
    }
    return {};
}

}  // namespace

std::optional<Units> Billing::limit_of(const AllowanceAccount& account) const {
    const Subject subject = find_subject(platform_.directory, account.subject);
    if (!subject.known || subject.revoked || is_out_of_time(account, platform_.now()))
        return Units();
    if (account.measure == Measure::wallet)
        return Units::of(
            *add(wallet(subject.organisation_id).available, pool_amount(subject.organisation_id))
        );
    if (subject.limits == nullptr) return std::nullopt;
    if (account.model.empty()) return limit_in(*subject.limits, account.measure);
    const auto own = subject.limits->per_model.find(account.model);
    return own == subject.limits->per_model.end() ? std::nullopt
                                                  : limit_in(own->second, account.measure);
}

Units Billing::settled_of(const AllowanceAccount& account) const {
    if (account.measure != Measure::wallet) return platform_.uses.used(account);
    const Result<OrganisationId> id = OrganisationId::parse(account.subject);
    const auto unposted = id ? platform_.unposted.find(*id) : platform_.unposted.end();
    return unposted == platform_.unposted.end() ? Units() : unposted->second;
}

Result<GrantedAllowances> Billing::acquire_allowances(
    Change& change, const AcquireAllowances& request
) {
    const Time now = platform_.now();
    GrantedAllowances answer;
    answer.epoch = TRY(platform_.allowances.greet(request.replica, request.run, now));
    for (const AllowanceAsk& ask : request.asks)
        answer.allowances.push_back(TRY(platform_.allowances.grant(
            request.replica, ask, limit_of(ask.account), settled_of(ask.account), now
        )));
    store_allowances(change);
    return answer;
}

Money Billing::pool_amount(OrganisationId organisation) const {
    const auto pool = platform_.wallet_pools.find(organisation);
    if (pool == platform_.wallet_pools.end() || pool->second.pending_id.empty()) return {};
    const ledger::Hold* hold =
        platform_.ledger.find_hold(*ledger::TransferId::parse(pool->second.pending_id));
    return hold == nullptr ? Money() : hold->amount;
}

void Billing::store_allowances(Change& change) {
    const routing::AllowanceAuthority::Touched touched = platform_.allowances.take_touched();
    for (const AllowanceAccount& account : touched.wallets)
        if (const Result<OrganisationId> id = OrganisationId::parse(account.subject))
            if (platform_.directory.find_organisation(*id) != nullptr) balance_pool(change, *id);
    platform_.put_allowances(change, touched);
}

// The hold covers all that gateways have and what their calls have cost but was not yet posted.
void Billing::balance_pool(Change& change, OrganisationId organisation) {
    AllowanceAccount account;
    account.subject = to_string(organisation);
    const Units reserved = platform_.allowances.reserved(account);
    Money wanted;
    if (!reserved.is_zero()) wanted = *ceil_money((reserved + settled_of(account)).exact_money());
    if (wanted == pool_amount(organisation)) return;
    std::vector<TransferRequest> chain;
    resize_pool(chain, organisation, Money(), wanted, "lease", "gateways");
    const Result<void> done = submit(change, chain).result();
    CHECK(done.has_value(), "no more is granted than the wallet has available");
    platform_.put(change, platform_.wallet_pools.at(organisation));
}

// Takes `charge` out of the hold, and holds `rest` anew.
void Billing::resize_pool(
    std::vector<TransferRequest>& chain, OrganisationId organisation, Money charge, Money rest,
    const std::string& ref_type, const std::string& ref_id
) {
    const std::string owner = to_string(organisation);
    WalletPool& pool = platform_.wallet_pools[organisation];
    pool.organisation_id = organisation;
    if (!pool.pending_id.empty()) {
        TransferRequest end{
            .id = transfer_id(),
            .kind = TransferKind::void_,
            .pending_id = *ledger::TransferId::parse(pool.pending_id),
            .code = TransferCode::lease,
            .ref_type = ref_type,
            .ref_id = ref_id
        };
        if (charge > Money()) {
            end.kind = TransferKind::post;
            end.amount = charge;
            end.code = TransferCode::charge;
        }
        chain.push_back(std::move(end));
    }
    pool.pending_id.clear();
    if (rest <= Money()) return;
    chain.push_back(
        {.id = transfer_id(),
         .kind = TransferKind::pending,
         .debit = this->account(owner, AccountKind::consumer_prepaid),
         .credit = this->account(owner, AccountKind::lease_pool),
         .amount = rest,
         .code = TransferCode::lease,
         .ref_type = "lease",
         .ref_id = "gateways"}
    );
    pool.pending_id = to_string(chain.back().id);
}

// The call's part of every allowance it was admitted on, and of the counts of use.
void Billing::count_call(const CallRecord& call, Units charge, std::int64_t tokens) {
    // What goes on with another call's answer is the same request.
    const std::int64_t requests = call.continues ? 0 : 1;
    for (const LeaseId lease : call.drawn.value_or(std::vector<LeaseId>())) {
        const AllowanceAccount* account = platform_.allowances.account_of(lease);
        if (account == nullptr || !routing::is_consumed(account->measure)) continue;
        Units amount = charge;
        if (account->measure == Measure::requests_day) amount = Units::whole(requests);
        if (account->measure == Measure::tokens_day) amount = Units::whole(tokens);
        platform_.allowances.draw(lease, amount);
    }
    const routing::Tally tally{charge, requests, tokens};
    for (const std::string& text :
         {to_string(call.organisation_id), to_string(call.project_id), to_string(call.key_id)}) {
        platform_.uses.add(text, std::string(), tally, call.started_at);
        // Whether there is such a limit or not: one that is set later begins with what is true.
        platform_.uses.add(text, call.model, tally, call.started_at);
    }
}

// ---- shown ----

// From whom the report was of to `subject`: its spending, and its limits beside those above it.
void Billing::narrow(
    UseReport& report, const std::string& level, const std::string& subject,
    const std::optional<Limits>& limits
) const {
    const Time now = platform_.now();
    const auto add = [&](const Quota& quota, const std::string& model) {
        for (const Measure measure : kMeasures) {
            const std::optional<Units> limit = limit_in(quota, measure);
            if (!limit) continue;
            const bool per_day = measure == Measure::requests_day || measure == Measure::tokens_day;
            AllowanceAccount account{.subject = subject, .model = model, .measure = measure};
            if (measure == Measure::budget) account.period = quota.budget_period;
            if (per_day) account.period = BudgetPeriod::daily;
            account.period_start = period_start(account.period, now);
            LimitUse use{.level = level, .subject = subject, .model = model};
            use.limit = limit_name(measure);
            use.allowed = *limit;
            if (routing::is_consumed(measure)) use.used = settled_of(account);
            use.reserved = platform_.allowances.reserved(account);
            use.remaining =
                std::max(Units(), use.allowed - use.used.value_or(Units()) - use.reserved);
            if (account.period != BudgetPeriod::none)
                use.resets_at = period_end(account.period, now);
            report.limits.push_back(std::move(use));
        }
    };
    report.subject = subject;
    report.spending = platform_.uses.spending(subject, now);
    if (!limits) return;
    add(*limits, std::string());
    for (const auto& [model, quota] : limits->per_model) add(quota, model);
}

UseReport Billing::use_of(const Organisation& organisation) const {
    UseReport report;
    narrow(report, "organisation", to_string(organisation.id), organisation.limits);
    return report;
}

UseReport Billing::use_of(const Project& project) const {
    UseReport report = use_of(*platform_.directory.find_organisation(project.organisation_id));
    narrow(report, "project", to_string(project.id), project.limits);
    return report;
}

UseReport Billing::use_of(const Key& key) const {
    UseReport report = use_of(*platform_.directory.find_project(key.project_id));
    narrow(report, "key", to_string(key.id), key.limits);
    return report;
}

}  // namespace penstock::server
