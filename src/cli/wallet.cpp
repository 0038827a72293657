// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/invocation.h"
#include "cli/nouns.h"

namespace penstock::cli {
namespace {

const View& view() {
    static const View kView{
        .plural = "wallets",
        .singular = "wallet",
        .columns =
            {
                text_column("ACCOUNT", "account"),
                text_column("ASSET", "asset"),
                amount_column("BALANCE", "balance"),
                amount_column("HELD", "held"),
                amount_column("AVAILABLE", "available"),
                amount_column("SPENT", "spent"),
                wide(text_column("ORGANISATION", "organisation_id")),
            },
        .id = "account",
    };
    return kView;
}

io::Task<Result<int>> get(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    co_return print_object(*invocation, view(), CO_TRY(co_await client->wallet()));
}

io::Task<Result<int>> top_up(Invocation* invocation) {
    TopUp wanted;
    Result<Money> amount = parse_money(invocation->operand(0));
    if (!amount)
        co_return fail_field(
            ErrorCode::invalid_argument, "AMOUNT", std::move(amount.error().message)
        );
    if (*amount <= Money())
        co_return fail_field(ErrorCode::invalid_argument, "AMOUNT", "must be above zero");
    wanted.amount = *amount;
    wanted.organisation = invocation->arguments.value_or("organisation", "");
    // Without a reference of the payment channel each call is a payment of its own.
    wanted.reference =
        invocation->arguments.value_or("reference", "cli-" + random_text(invocation->random, 16));
    client::Client* client = CO_TRY(invocation->client());
    co_return print_object(*invocation, view(), CO_TRY(co_await client->top_up(wanted)));
}

}  // namespace

std::vector<Command> wallet_commands() {
    return {
        {.path = "wallet get",
         .summary = "wallet.get.summary",
         .examples = {"penstock wallet get", "penstock wallet get -o json"},
         .run = get},
        {.path = "wallet topup",
         .summary = "wallet.topup.summary",
         .examples = {"penstock wallet topup 100.00 --reference INV-42"},
         .operands = {{.name = "AMOUNT"}},
         .flags =
             {{.name = "organisation", .value = "NAME", .help = "flag.organisation"},
              {.name = "reference", .value = "TEXT", .help = "flag.reference"}},
         .run = top_up},
    };
}

}  // namespace penstock::cli
