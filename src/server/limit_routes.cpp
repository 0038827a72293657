// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "http/problem.h"
#include "json/json.h"
#include "model/allowance.h"
#include "routing/class_prices.h"
#include "server/key_settings.h"
#include "server/quota_routes.h"
#include "server/routes.h"
#include "server/stored_list.h"

// Limits of organisations, projects and keys, and what has been used of them.
namespace penstock::server {
namespace {

std::unexpected<Failure> missing(const std::string& what, const std::string& reference) {
    return std::unexpected(
        Failure(Error{ErrorCode::not_found, "no " + what + " '" + reference + "'", "id"})
    );
}

// By id or name; foreign ones answer like missing ones.
const access::StoredKey* find_key(const Platform& platform, const Call& call) {
    std::string_view reference = call.request.param("id");
    if (reference.starts_with("key/")) reference.remove_prefix(4);
    for (const access::StoredKey* stored :
         platform.directory.keys_of(call.principal.organisation_id))
        if (!stored->key.revoked_at &&
            (to_string(stored->key.id) == reference || stored->key.name == reference))
            return stored;
    return nullptr;
}

std::expected<void, Failure> check_limits(const Limits& limits) {
    std::vector<Error> errors = check(limits, "limits");
    if (!errors.empty()) return std::unexpected(Failure(std::move(errors)));
    return {};
}

// Those that gateways may have in memory: of the organisation, or of one of its projects.
std::vector<const access::StoredKey*> keys_in(
    const Platform& platform, OrganisationId organisation, std::optional<ProjectId> project = {}
) {
    std::vector<const access::StoredKey*> keys = platform.directory.keys_of(organisation);
    std::erase_if(keys, [&](const access::StoredKey* stored) {
        return stored->key.revoked_at || (project && stored->key.project_id != *project);
    });
    return keys;
}

Outcome update_key(Platform& platform, Call& call) {
    const UpdateKey wanted = TRY(body_as<UpdateKey>(call.request));
    const access::StoredKey* found = find_key(platform, call);
    if (found == nullptr) return missing("key", call.request.param("id"));
    access::StoredKey changed = *found;
    if (wanted.name) {
        TRY(access::check_name("name", *wanted.name));
        changed.key.name = *wanted.name;
    }
    if (wanted.expires_in) changed.key.expires_at = call.now + *wanted.expires_in;
    if (wanted.limits) {
        TRY(check_limits(*wanted.limits));
        changed.key.limits = wanted.limits;
    }
    if (wanted.settings) {
        TRY(check_key_settings(
            *platform.directory.find_project(changed.key.project_id), *wanted.settings
        ));
        changed.key.settings = stored_settings(*wanted.settings);
    }
    platform.directory.restore(changed);
    platform.put(call.change, changed);
    platform.touch_keys(call.change, {platform.directory.find_key(changed.key.id)});
    return answer(with_settings(platform, changed.key));
}

Outcome update_project(Platform& platform, Call& call) {
    const UpdateLimits wanted = TRY(body_as<UpdateLimits>(call.request));
    const Project* found =
        platform.directory.find_project(call.principal.organisation_id, call.request.param("id"));
    if (found == nullptr) return missing("project", call.request.param("id"));
    if (wanted.limits) TRY(check_limits(*wanted.limits));
    Project changed = *found;
    if (wanted.limits) changed.limits = wanted.limits;
    if (wanted.quota)
        TRY(set_quota(
            call, *platform.directory.find_organisation(changed.organisation_id), changed,
            *wanted.quota
        ));
    if (wanted.settings) {
        TRY(check_project_settings(platform, *found, *wanted.settings));
        changed.settings = stored_settings(*wanted.settings);
    }
    platform.directory.restore(changed);
    platform.put(call.change, changed);
    if (wanted.limits || wanted.settings)
        platform.touch_keys(call.change, keys_in(platform, changed.organisation_id, changed.id));
    return answer(changed);
}

Outcome update_organisation(Platform& platform, Call& call) {
    const UpdateLimits wanted = TRY(body_as<UpdateLimits>(call.request));
    const Organisation* found = platform.directory.find_organisation(call.request.param("id"));
    const bool allowed = found != nullptr && (found->id == call.principal.organisation_id ||
                                              call.principal.is_operator());
    if (!allowed) return missing("organisation", call.request.param("id"));
    if (wanted.limits) TRY(check_limits(*wanted.limits));
    if (wanted.settings)
        return std::unexpected(Failure(Error{
            ErrorCode::invalid_argument, "organisations have none: set them for a project or a key",
            "settings"
        }));
    Organisation changed = *found;
    if (wanted.limits) changed.limits = wanted.limits;
    if (wanted.quota) TRY(set_quota(call, changed, *wanted.quota));
    platform.directory.restore(changed);
    platform.put(call.change, changed);
    if (wanted.limits) platform.touch_keys(call.change, keys_in(platform, changed.id));
    return answer(changed);
}

Outcome own_key(Platform& platform, Billing& billing, Call& call) {
    const Key& key = platform.directory.find_key(call.principal.key_id)->key;
    const UseReport report = billing.use_of(key);
    KeyData data{.label = key.name, .limit_reset = "none", .expires_at = key.expires_at};
    data.usage = report.spending.total;
    data.usage_daily = report.spending.day;
    data.usage_weekly = report.spending.week;
    data.usage_monthly = report.spending.month;
    data.limits = report.limits;
    data.settings = *with_settings(platform, key).settings_in_force;
    for (const LimitUse& use : report.limits)
        if (use.level == "key" && use.model.empty() && use.limit == "budget") {
            data.limit = use.allowed;
            data.limit_remaining = std::max(Units(), use.allowed - use.used.value_or(Units()));
        }
    if (key.limits) {
        constexpr std::array kPeriods{"none", "daily", "weekly", "monthly"};
        data.limit_reset = kPeriods.at(static_cast<std::size_t>(key.limits->budget_period));
    }
    return answer(KeyAnswer{std::move(data)});
}

Outcome credits(Billing& billing, Call& call) {
    const Wallet wallet = billing.wallet(call.principal.organisation_id);
    CreditsData data{.held = wallet.held, .available = wallet.available};
    data.total_usage = wallet.spent;
    data.total_credits = *add(wallet.balance, wallet.spent);
    return answer(CreditsAnswer{data});
}

Outcome generation_of(const std::string& id, const BillLine& line) {
    GenerationData data{.id = id, .model = line.name, .provider_name = line.provider};
    data.site = line.site;
    data.c_url = line.c_url;
    data.key_id = line.key_id;
    data.created_at = line.from;
    data.ended_at = line.to;
    data.latency_us = line.ttft_us;
    data.basis = line.basis;
    data.finish_reason = line.end_reason;
    data.charged = line.charged;
    data.usage = line.usage;
    data.transfers = line.transfers;
    data.trace_id = line.trace_id;
    data.continues = line.continues;
    data.continued_by = line.continued_by;
    data.attempt_of = line.attempt_of;
    data.status = line.status;
    data.routing = line.routing;
    for (const UsageItem& item : line.usage) {
        const auto* facts = std::ranges::find(
            routing::kTokenClasses, std::string_view(item.meter), &routing::TokenClassFacts::meter
        );
        if (facts == routing::kTokenClasses.end())
            return std::unexpected(Failure(Error{
                ErrorCode::internal, "the bill of " + id + " has a meter '" + item.meter + "'"
            }));
        (facts->is_output ? data.tokens_completion : data.tokens_prompt) += item.quantity;
        data.total_cost += TRY(parse_units(item.exact_amount));
    }
    return answer(GenerationAnswer{std::move(data)});
}

// A key that may not read bills sees its own calls. Those of other keys are to it like calls that
// are not there, so that asking tells nothing.
std::unexpected<Failure> missing_call(const access::Principal& principal, const std::string& id) {
    if (access::require(principal, Scope::billing_read)) return missing("call", id);
    return std::unexpected(Failure(Error{
        ErrorCode::not_found,
        "this key made no call '" + id +
            "', or its record is not settled yet; calls of other keys need the scope billing_read",
        "id"
    }));
}

Outcome find_generation(
    const std::string& id, const access::Principal& principal, UsageRows& rows
) {
    const Result<RequestId> call = RequestId::parse(id);
    if (!call) return missing_call(principal, id);
    const std::optional<StoredRow> row = TRY(rows.find(to_string(UsageId(call->raw()))));
    if (!row) return missing_call(principal, id);
    const BillLine line = TRY(json::parse<BillLine>(row->body));
    const bool may_see =
        line.key_id == principal.key_id || access::require(principal, Scope::billing_read);
    if (line.kind != "tokens" || !may_see) return missing_call(principal, id);
    return generation_of(id, line);
}

io::Task<http::Response> generation(
    Api* api, io::Pool* pool, access::Principal principal, http::Request request
) {
    Platform& platform = api->platform();
    // A call that was settled a moment ago is to be found.
    const Result<void> durable = co_await platform.committed(platform.last_ticket());
    if (!durable) co_return http::problem_response(durable.error(), request, 503);
    UsageRows rows(platform.store(), {.tenant = to_string(principal.organisation_id)});
    const std::string id(request.query.get("id"));
    Outcome found = co_await pool->run([&] { return find_generation(id, principal, rows); });
    co_return co_await api->finish(std::move(found), {}, std::move(request));
}

void add_key_routes(Api& api, Billing& billing) {
    Platform& platform = api.platform();
    api.query(
        "/v1/keys/{id}",
        {.operation = "getKey",
         .summary = "One key with its limits and settings",
         .response = json::schema<Key>},
        [&platform](Call& call) -> Outcome {
            const access::StoredKey* found = find_key(platform, call);
            if (found == nullptr) return missing("key", call.request.param("id"));
            return answer(with_settings(platform, found->key));
        }
    );
    api.query(
        "/v1/keys/{id}/usage",
        {.operation = "getKeyUsage",
         .summary = "What a key has used, and what is left of its limits",
         .scope = Scope::billing_read,
         .response = json::schema<UseReport>},
        [&platform, &billing](Call& call) -> Outcome {
            const access::StoredKey* found = find_key(platform, call);
            if (found == nullptr) return missing("key", call.request.param("id"));
            return answer(billing.use_of(found->key));
        }
    );
    api.command(
        "PATCH", "/v1/keys/{id}",
        {.operation = "updateKey",
         .summary = "Change a key's name, expiry, limits or settings",
         .scope = Scope::keys_write,
         .request = json::schema<UpdateKey>,
         .response = json::schema<Key>},
        [&platform](Call& call) { return update_key(platform, call); }
    );
    api.command(
        "PATCH", "/v1/projects/{id}",
        {.operation = "updateProject",
         .summary = "Set the limits, the quota or the settings of a project",
         .scope = Scope::keys_write,
         .request = json::schema<UpdateLimits>,
         .response = json::schema<Project>},
        [&platform](Call& call) { return update_project(platform, call); }
    );
    api.command(
        "PATCH", "/v1/organisations/{id}",
        {.operation = "updateOrganisation",
         .summary = "Set the limits or, as an operator, the quota of an organisation",
         .scope = Scope::keys_write,
         .request = json::schema<UpdateLimits>,
         .response = json::schema<Organisation>},
        [&platform](Call& call) { return update_organisation(platform, call); }
    );
}

void add_spending_routes(Api& api, Billing& billing, io::Pool& pool) {
    Platform& platform = api.platform();
    api.query(
        "/v1/key",
        {.operation = "getOwnKey",
         .summary = "Limits and spending of the key that asks",
         .response = json::schema<KeyAnswer>},
        [&platform, &billing](Call& call) { return own_key(platform, billing, call); }
    );
    api.query(
        "/v1/credits",
        {.operation = "getCredits",
         .summary = "What was paid in and what was charged",
         .scope = Scope::billing_read,
         .response = json::schema<CreditsAnswer>},
        [&billing](Call& call) { return credits(billing, call); }
    );
    api.raw(
        "GET", "/v1/generation",
        {.operation = "getGeneration",
         .summary = "Cost and route of one token call: of the key's own, or with the scope "
                    "billing_read of any key of its organisation",
         .response = json::schema<GenerationAnswer>,
         .query = {"id"}},
        [&api, &pool](access::Principal p, http::Request r) {
            return generation(&api, &pool, std::move(p), std::move(r));
        }
    );
}

}  // namespace

void add_limit_routes(Api& api, Billing& billing, io::Pool& pool) {
    add_key_routes(api, billing);
    add_tenant_routes(api);
    add_spending_routes(api, billing, pool);
}

}  // namespace penstock::server
