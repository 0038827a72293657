// SPDX-License-Identifier: Apache-2.0
#include "ledger/account.h"

#include "ledger/names.h"

namespace penstock::ledger {
namespace {

constexpr Names<13> kKinds = {
    "bank",        "consumer_prepaid", "lot",           "contract_escrow",
    "lease_pool",  "provider_payable", "provider_bond", "platform_fee",
    "tax_payable", "liquidity",        "promotion",     "breakage",
    "clearing",
};

}  // namespace

std::string_view to_string(AccountKind kind) { return name_in(kKinds, kind); }

Result<AccountKind> parse_account_kind(std::string_view text) {
    return parse_in<AccountKind>(kKinds, text, "an account kind");
}

}  // namespace penstock::ledger
