// SPDX-License-Identifier: Apache-2.0
#include "http/problem.h"
#include "server/routes.h"
#include "server/stored_list.h"

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

// A consumer sees what it paid, a provider what it earned; the operator all of it.
storage::UsageFilter bills_of(const access::Principal& principal, std::string_view as) {
    if (as == "operator" && principal.is_operator()) return {};
    const std::string own = to_string(principal.organisation_id);
    return as == "provider" ? storage::UsageFilter{.provider = own}
                            : storage::UsageFilter{.tenant = own};
}

io::Task<http::Response> list_bills(
    Api* api, io::Pool* pool, access::Principal principal, http::Request request
) {
    Platform& platform = api->platform();
    const Result<ListQuery> query = list_query(request);
    if (!query) co_return http::problem_response(query.error(), request);
    // What was settled a moment ago is to be in the list.
    const Result<void> durable = co_await platform.committed(platform.last_ticket());
    if (!durable) co_return http::problem_response(durable.error(), request, 503);
    UsageRows rows(platform.store(), bills_of(principal, request.query.get("as")));
    Outcome page = co_await pool->run([&] { return stored_list(*query, rows, &BillPage::lines); });
    co_return co_await api->finish(std::move(page), {}, std::move(request));
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

void add_billing_routes(Api& api, Billing& billing, io::Pool& pool) {
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
    api.raw(
        "GET", "/v1/bills",
        {.operation = "listBills",
         .summary = "One line per settled attempt or call, newest first",
         .scope = Scope::billing_read,
         .response = json::schema<BillPage>,
         .query = {"as"},
         .list = true},
        [&api, &pool](access::Principal p, http::Request r) {
            return list_bills(&api, &pool, std::move(p), std::move(r));
        }
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
