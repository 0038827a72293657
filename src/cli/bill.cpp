// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/nouns.h"
#include "cli/price_columns.h"

namespace penstock::cli {
namespace {

// "core_ms=1200,gib_ms=600": the metered quantities.
std::string usage_cell(const json::Value& row, const Look&) {
    const json::Value* usage = at_path(row, "usage");
    if (usage == nullptr || !usage->is_array()) return {};
    std::string text;
    for (const json::Value& item : usage->get_array())
        text +=
            (text.empty() ? "" : ",") + text_at(item, "meter") + "=" + text_at(item, "quantity");
    return text;
}

const View& line_view() {
    static const View kView{
        .plural = "lines",
        .singular = "usage",
        .columns =
            {
                text_column("ID", "id"),
                text_column("KIND", "kind"),
                text_column("NAME", "name"),
                text_column("TASK", "task"),
                text_column("PROVIDER", "provider"),
                text_column("SITE", "site"),
                computed_column("USAGE", usage_cell),
                amount_column("CHARGED", "charged"),
                wide(amount_column("FEE", "fee")),
                wide(amount_column("PROVIDER-SHARE", "provider_share")),
                wide(text_column("BASIS", "basis")),
                wide(text_column("TARIFF", "tariff")),
                wide(text_column("BATCH-LINE", "batch_line")),
                wide(text_column("CONTINUES", "continues")),
                wide(text_column("ON-DISCONNECT", "on_disconnect")),
                wide(text_column("ATTEMPT-OF", "attempt_of")),
                wide(text_column("END", "end_reason")),
                wide(text_column("STATUS", "status")),
                wide(text_column("DISPUTED", "disputed")),
                wide(text_column("RESOURCE", "resource")),
                wide(text_column("TRACE", "trace_id")),
                wide(text_column("FROM", "from")),
                wide(computed_column("AMOUNTS", amounts_cell)),
                wide(text_column("RAW-USAGE", "raw_usage")),
                age_column("AGE", "to"),
            },
    };
    return kView;
}

io::Task<Result<int>> list(Invocation* invocation) {
    http::Query query;
    if (const auto as = invocation->arguments.value("as")) query.add("as", *as);
    co_return co_await print_list<BillPage>(
        invocation, "/v1/bills", &line_view(), std::move(query)
    );
}

io::Task<Result<int>> statement(Invocation* invocation) {
    static const View kView{
        .plural = "entries",
        .singular = "transfer",
        .columns =
            {
                text_column("TRANSFER", "transfer"),
                text_column("CODE", "code"),
                text_column("REFERENCE", "reference"),
                amount_column("DEBIT", "debit"),
                amount_column("CREDIT", "credit"),
                amount_column("BALANCE", "balance"),
                age_column("AGE", "at"),
            },
        .id = "transfer",
    };
    client::Client* client = CO_TRY(invocation->client());
    const Statement statement = CO_TRY(co_await client->statement(
        invocation->arguments.value_or("account", ""),
        invocation->arguments.value_or("organisation", "")
    ));
    CO_TRY(invocation->printer.list(kView, json::encode(statement)));
    if (invocation->printer.for_people())
        invocation->tell(
            "bill.statement", to_string(statement.opening), to_string(statement.closing),
            to_string(statement.held),
            text(
                invocation->language,
                statement.balanced ? MessageKey("bill.balanced") : MessageKey("bill.unbalanced")
            )
        );
    co_return kExitOk;
}

io::Task<Result<int>> settlement(Invocation* invocation) {
    static const View kView{
        .plural = "parties",
        .singular = "party",
        .columns =
            {
                text_column("PARTY", "party"),
                text_column("ROLE", "role"),
                amount_column("PAID", "paid"),
                amount_column("EARNED", "earned"),
                amount_column("FEE", "fee"),
            },
        .id = "party",
    };
    client::Client* client = CO_TRY(invocation->client());
    const SettlementReport report = CO_TRY(co_await client->settlement());
    CO_TRY(invocation->printer.list(kView, json::encode(report)));
    if (invocation->printer.for_people())
        invocation->tell(
            "bill.settlement", report.transfers, to_string(report.total_debits),
            to_string(report.total_credits),
            text(
                invocation->language,
                report.balanced ? MessageKey("bill.balanced") : MessageKey("bill.unbalanced")
            )
        );
    co_return kExitOk;
}

}  // namespace

std::vector<Command> bill_commands() {
    return {
        {.path = "bill list",
         .summary = "bill.list.summary",
         .examples =
             {"penstock bill list", "penstock bill list --all -o csv > bills.csv",
              "penstock bill list --as provider"},
         .flags =
             {{.name = "as",
               .value = "ROLE",
               .help = "flag.as",
               .choices = "consumer|provider|operator"}},
         .answer = Answer::list,
         .run = list},
        {.path = "bill statement",
         .summary = "bill.statement.summary",
         .examples = {"penstock bill statement", "penstock bill statement --account earnings"},
         .flags =
             {{.name = "account",
               .value = "NAME",
               .help = "flag.account",
               .choices = "wallet|earnings"},
              {.name = "organisation", .value = "NAME", .help = "flag.organisation"}},
         .run = statement},
        {.path = "bill settlement",
         .summary = "bill.settlement.summary",
         .examples = {"penstock bill settlement -o json"},
         .run = settlement},
    };
}

}  // namespace penstock::cli
