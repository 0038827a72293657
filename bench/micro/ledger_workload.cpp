// SPDX-License-Identifier: Apache-2.0
#include "ledger_workload.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "ledger/rating.h"

namespace penstock::bench {
namespace {

using ledger::AccountKind;
using ledger::TransferCode;
using ledger::TransferKind;

constexpr std::uint64_t kParties = 9'999;
constexpr std::uint64_t kProviders = 100;
constexpr Money kFunds = Money::micro(1'000'000'000'000);
constexpr std::int64_t kAmountMaxMicro = 100;
constexpr std::int64_t kHoldMicro = 10'000;
constexpr std::int64_t kFeeBasisPoints = 500;

ledger::AccountId account(AccountKind kind, std::uint64_t n) {
    return ledger::AccountId(RawId{1 + static_cast<std::uint64_t>(kind), n});
}
ledger::AccountId wallet(std::uint64_t n) { return account(AccountKind::consumer_prepaid, n); }

std::vector<std::pair<AccountKind, std::uint64_t>> accounts_of(Pattern pattern) {
    std::vector<std::pair<AccountKind, std::uint64_t>> groups = {
        {AccountKind::bank, 1}, {AccountKind::consumer_prepaid, kParties}
    };
    if (pattern == Pattern::bills)
        groups.insert(
            groups.end(), {{AccountKind::contract_escrow, kParties},
                           {AccountKind::provider_payable, kProviders},
                           {AccountKind::platform_fee, 1}}
        );
    return groups;
}

}  // namespace

void give_up(const Error& error) {
    fmt::print(stderr, "ledger_bench: {}\n", to_string(error));
    std::exit(1);
}

Workload::Workload(Pattern pattern, std::size_t callers) : pattern_(pattern), tasks_(callers) {}

storage::Batch Workload::open_accounts() {
    storage::Batch batch;
    for (const auto& [kind, count] : accounts_of(pattern_))
        for (std::uint64_t n = 1; n <= count; ++n)
            batch.add(must(ledger_.open_account(
                               {.id = account(kind, n),
                                .kind = kind,
                                .owner = fmt::format("o{}", n),
                                .debits_not_over_credits = kind != AccountKind::bank}
                           ))
                          .rows);
    for (std::uint64_t n = 1; n <= kParties; ++n)
        batch.add(submit(
            {{.id = next_id(),
              .debit = account(AccountKind::bank, 1),
              .credit = wallet(n),
              .amount = kFunds,
              .code = TransferCode::topup}}
        ));
    return batch;
}

ledger::Rows Workload::next(std::size_t caller) {
    if (pattern_ != Pattern::bills) return transfer();
    return tasks_.at(caller).amount == Money() ? hold(caller) : bill(caller);
}

ledger::Rows Workload::submit(const std::vector<ledger::TransferRequest>& chain) {
    ledger::ChainResult done = ledger_.submit(chain, Time(Duration(time_)));
    must(done.result());
    return std::move(done.rows);
}

ledger::Rows Workload::transfer() {
    const std::uint64_t from = pattern_ == Pattern::hot ? 1 : 1 + random_.below(kParties);
    const std::uint64_t to = 1 + (from + random_.below(kParties - 1)) % kParties;
    const auto amount = 1 + static_cast<std::int64_t>(random_.below(kAmountMaxMicro));
    return submit(
        {{.id = next_id(),
          .debit = wallet(from),
          .credit = wallet(to),
          .amount = Money::micro(amount),
          .ref_type = "task",
          .ref_id = fmt::format("tk_{:026}", time_ / 3)}}
    );
}

ledger::Rows Workload::hold(std::size_t caller) {
    Task& task = tasks_.at(caller);
    task = {next_id(), 1 + random_.below(kParties), Money::micro(kHoldMicro)};
    return submit(
        {{.id = task.hold,
          .kind = TransferKind::pending,
          .debit = wallet(task.party),
          .credit = account(AccountKind::contract_escrow, task.party),
          .amount = task.amount,
          .deadline = Time(Duration(time_) + std::chrono::hours(1)),
          .code = TransferCode::hold,
          .ref_type = "task",
          .ref_id = to_string(task.hold)}}
    );
}

ledger::Rows Workload::bill(std::size_t caller) {
    const Task task = std::exchange(tasks_.at(caller), {});
    const Money charge =
        Money::micro(kHoldMicro / 2 + static_cast<std::int64_t>(random_.below(kHoldMicro / 2)));
    const ledger::GrossSplit split = must(ledger::split_fee(charge, kFeeBasisPoints));
    const std::string reference = to_string(task.hold);
    const auto pay = [&](ledger::AccountId to, Money amount, TransferCode code) {
        return ledger::TransferRequest{
            .id = next_id(),
            .debit = account(AccountKind::contract_escrow, task.party),
            .credit = to,
            .amount = amount,
            .code = code,
            .ref_type = "task",
            .ref_id = reference
        };
    };
    const ledger::TransferRequest post{
        .id = next_id(),
        .kind = TransferKind::post,
        .amount = charge,
        .pending_id = task.hold,
        .code = TransferCode::charge,
        .ref_type = "task",
        .ref_id = reference
    };
    return submit(
        {post,
         pay(account(AccountKind::provider_payable, 1 + random_.below(kProviders)), split.provider,
             TransferCode::settle),
         pay(account(AccountKind::platform_fee, 1), split.fee, TransferCode::fee)}
    );
}

}  // namespace penstock::bench
