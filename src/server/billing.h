// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "model/allowance.h"
#include "model/endpoint.h"
#include "model/task.h"
#include "server/platform.h"

namespace penstock::server {

constexpr Duration kHoldSpan = 1h;  // of running time that is held at once where the end is unknown
constexpr std::int64_t kToleranceBasisPoints = 50;  // by which two meters may differ
constexpr std::int64_t kToleranceMs = 1000;         // or by this, whichever is more

// The money side of the platform: accounts, holds for attempts, leases for gateways, settlements
// and what is shown of them. Every change of money is a chain of transfers in the ledger, stored in
// the same transaction as what it is for.
class Billing {
  public:
    explicit Billing(Platform& platform) : platform_(platform) {}

    // Opens the accounts of the platform and of every organisation that has none yet.
    Result<void> open_accounts(Change& change, const Organisation& organisation);
    // bank → prepaid. The same reference is credited once; repeating it answers with the wallet.
    Result<Wallet> top_up(
        Change& change, OrganisationId organisation, Money amount, const std::string& reference,
        ledger::TransferCode code
    );
    Wallet wallet(OrganisationId organisation) const;

    // ---- attempts of tasks
    // What would be held for an item that runs at `hourly` for `span`.
    Result<Money> hold_amount(const Price& hourly, Duration span) const;
    // insufficient_funds names what is there and what is needed. `attempt` has its id and tenant
    // task set.
    Result<void> hold(
        Change& change, AttemptId attempt, OrganisationId organisation, TaskId task, Money amount
    );
    // What an attempt has cost until `running_ms` of running time, at its site's prices.
    Result<ExactMoney> cost_of(const Attempt& attempt, std::int64_t running_ms) const;
    // The attempt ended: posts what is due, releases the rest, writes the bill line. Never above
    // what is held.
    void settle_attempt(Change& change, AttemptId id);
    // Running attempts whose holds run out are held for more; those whose owner cannot pay, or
    // whose budget is used up, are stopped.
    void watch_running(Change& change);

    // ---- gateways
    Result<GrantedAllowances> acquire_allowances(Change& change, const AcquireAllowances& request);
    // Records whose usage is among `settled_before` are repeated, as are those settled a moment
    // ago; see settled_before() for what the store knows.
    SettledCalls settle_calls(
        Change& change, const SettleCalls& calls, const std::set<std::string>& settled_before
    );
    // Holds of the ledger whose deadline has passed, and allowances of gateways that are gone.
    void expire(Change& change);

    // ---- what is shown
    Statement statement(OrganisationId organisation, ledger::AccountKind kind) const;
    SettlementReport settlement() const;
    // Spending of the subject; limits of it and of what is above it.
    UseReport use_of(const Organisation& organisation) const;
    UseReport use_of(const Project& project) const;
    UseReport use_of(const Key& key) const;

  private:
    ledger::AccountId account(const std::string& owner, ledger::AccountKind kind) const;
    Result<void> open(Change& change, const std::string& owner, ledger::AccountKind kind);
    ledger::ChainResult submit(Change& change, const std::vector<ledger::TransferRequest>& chain);
    ledger::TransferId transfer_id();
    void post_holds(
        Change& change, AttemptHolds& holds, Money charge, const Attempt& attempt, BillLine& line
    );
    void settle_call(Change& change, const CallRecord& call);
    // Of a call's attempt that its user does not pay.
    void settle_platform_attempt(Change& change, const CallRecord& call);
    void put_accumulator(
        Change& change, const std::string& contract, OrganisationId organisation,
        const ledger::Accumulator& next
    );
    // Of an allowance account; nothing: there is no such limit.
    std::optional<Units> limit_of(const AllowanceAccount& account) const;
    Units settled_of(const AllowanceAccount& account) const;
    Money pool_amount(OrganisationId organisation) const;
    void store_allowances(Change& change);
    void balance_pool(Change& change, OrganisationId organisation);
    void resize_pool(
        std::vector<ledger::TransferRequest>& chain, OrganisationId organisation, Money charge,
        Money rest, const std::string& ref_type, const std::string& ref_id
    );
    void count_call(const CallRecord& call, Units charge, std::int64_t tokens);
    void narrow(
        UseReport& report, const std::string& level, const std::string& subject,
        const std::optional<Limits>& limits
    ) const;
    void check_budget(Change& change, const Task& task, const Attempt& attempt, Money running_cost);

    Platform& platform_;
};

}  // namespace penstock::server
