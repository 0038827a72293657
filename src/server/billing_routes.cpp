// SPDX-License-Identifier: Apache-2.0
#include "server/lists.h"
#include "server/routes.h"

namespace penstock::server {
namespace {

Result<OrganisationId> organisation_of(
    const Platform& platform, const Call& call, std::string_view reference
) {
    if (reference.empty()) return call.principal.organisation_id;
    const Organisation* organisation = platform.directory.find_organisation(reference);
    const bool allowed =
        organisation != nullptr &&
        (organisation->id == call.principal.organisation_id || call.principal.is_operator());
    if (!allowed)
        return fail_field(
            ErrorCode::not_found, "organisation", "no organisation '" + std::string(reference) + "'"
        );
    return organisation->id;
}

Outcome list_bills(Platform& platform, Call& call) {
    // A consumer sees what it paid, a provider what it earned; the operator all of it.
    const bool as_provider = call.request.query.get("as") == "provider";
    std::vector<const BillLine*> lines;
    for (auto line = platform.bills.rbegin(); line != platform.bills.rend(); ++line) {
        const OrganisationId owner = as_provider ? line->provider_id : line->organisation_id;
        if (owner == call.principal.organisation_id ||
            (call.principal.is_operator() && call.request.query.get("as") == "operator"))
            lines.push_back(&*line);
    }
    return list_page(call.request, lines, &BillPage::lines, [](const BillLine& line) {
        return to_string(line.id);
    });
}

Outcome statement(Platform& platform, Billing& billing, Call& call) {
    const OrganisationId organisation =
        TRY(organisation_of(platform, call, call.request.query.get("organisation")));
    const std::string_view account = call.request.query.get("account");
    if (!account.empty() && account != "wallet" && account != "earnings")
        return std::unexpected(Failure(Error{
            ErrorCode::invalid_argument,
            "'" + std::string(account) + "' is not one of wallet, earnings", "account"
        }));
    const auto kind = account == "earnings" ? ledger::AccountKind::provider_payable
                                            : ledger::AccountKind::consumer_prepaid;
    return answer(billing.statement(organisation, kind));
}

}  // namespace

void add_billing_routes(Api& api, Billing& billing) {
    Platform& platform = api.platform();
    api.query(
        "/v1/wallet",
        {.operation = "getWallet",
         .summary = "Balance, holds and what is available",
         .scope = Scope::billing_read,
         .response = json::schema<Wallet>},
        [&billing](Call& call) {
            return Outcome(answer(billing.wallet(call.principal.organisation_id)));
        }
    );
    api.command(
        "POST", "/v1/wallet:topup",
        {.operation = "topUpWallet",
         .summary = "Credit a payment that was confirmed outside",
         .scope = Scope::operator_,
         .request = json::schema<TopUp>,
         .response = json::schema<Wallet>},
        [&platform, &billing](Call& call) -> Outcome {
            const TopUp wanted = TRY(body_as<TopUp>(call.request));
            const OrganisationId organisation =
                TRY(organisation_of(platform, call, wanted.organisation));
            return answer(TRY(billing.top_up(
                call.change, organisation, wanted.amount, wanted.reference,
                ledger::TransferCode::topup
            )));
        }
    );
    api.query(
        "/v1/bills",
        {.operation = "listBills",
         .summary = "One line per settled attempt or call, newest first",
         .scope = Scope::billing_read,
         .response = json::schema<BillPage>,
         .query = {"as"},
         .list = true},
        [&platform](Call& call) { return list_bills(platform, call); }
    );
    api.query(
        "/v1/statement",
        {.operation = "getStatement",
         .summary = "Transfers of an account, with the proof that the ledger balances",
         .scope = Scope::billing_read,
         .response = json::schema<Statement>,
         .query = {"account", "organisation"}},
        [&platform, &billing](Call& call) { return statement(platform, billing, call); }
    );
    api.query(
        "/v1/settlement",
        {.operation = "getSettlement",
         .summary = "What every party paid and earned",
         .scope = Scope::operator_,
         .response = json::schema<SettlementReport>},
        [&billing](Call&) { return Outcome(answer(billing.settlement())); }
    );
}

}  // namespace penstock::server
