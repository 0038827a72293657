// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/money.h"
#include "base/result.h"

namespace penstock::ledger {

struct AccountTag {
    static constexpr std::string_view kPrefix = "ac";
};
using AccountId = Id<AccountTag>;  // made by the caller, before it sends

// What an account is for. `bank` is the outside world; `clearing` and `contract_escrow` are to be
// empty within an age that the operator sets.
enum class AccountKind : std::uint8_t {
    bank,
    consumer_prepaid,
    lot,
    contract_escrow,
    lease_pool,
    provider_payable,
    provider_bond,
    platform_fee,
    tax_payable,
    liquidity,
    promotion,
    breakage,
    clearing,
};
std::string_view to_string(AccountKind kind);
Result<AccountKind> parse_account_kind(std::string_view text);

// What stays as it was opened, and `closed`.
struct AccountSpec {
    AccountId id = {};
    std::string asset = "CNY";  // transfers never cross assets
    AccountKind kind = AccountKind::clearing;
    std::string owner = {};                // organisation, project or "" for the platform
    bool debits_not_over_credits = false;  // prepaid, escrow, payable: never below zero
    bool credits_not_over_debits = false;
    bool operator==(const AccountSpec&) const = default;
};

// The four running totals only rise, but for the pending ones when a hold resolves. The balances
// are a projection of the transfers: replaying those from nothing gives the same account, byte for
// byte.
struct Account {
    AccountSpec spec = {};
    bool closed = false;
    Money dr_pend = {}, dr_post = {}, cr_pend = {}, cr_post = {};
    std::uint64_t version = 0;  // seq of the last transfer that touched it; 0 before the first
    bool operator==(const Account&) const = default;

    const AccountId& id() const { return spec.id; }
    // cr_post − dr_post: positive on a funded prepaid account.
    Money balance() const { return Money::micro(cr_post.micro() - dr_post.micro()); }
    // What can still be debited: the balance less what is held.
    Money available() const {
        return Money::micro(cr_post.micro() - dr_post.micro() - dr_pend.micro());
    }
};

}  // namespace penstock::ledger
