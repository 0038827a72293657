// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "json/json.h"
#include "model/allowance.h"
#include "server/routes.h"

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
    platform.directory.restore(changed);
    platform.put(call.change, changed);
    return answer(changed.key);
}

Outcome update_project(Platform& platform, Call& call) {
    const UpdateLimits wanted = TRY(body_as<UpdateLimits>(call.request));
    const Project* found =
        platform.directory.find_project(call.principal.organisation_id, call.request.param("id"));
    if (found == nullptr) return missing("project", call.request.param("id"));
    TRY(check_limits(wanted.limits));
    Project changed = *found;
    changed.limits = wanted.limits;
    platform.directory.restore(changed);
    platform.put(call.change, changed);
    return answer(changed);
}

Outcome update_organisation(Platform& platform, Call& call) {
    const UpdateLimits wanted = TRY(body_as<UpdateLimits>(call.request));
    const Organisation* found = platform.directory.find_organisation(call.request.param("id"));
    const bool allowed = found != nullptr && (found->id == call.principal.organisation_id ||
                                              call.principal.is_operator());
    if (!allowed) return missing("organisation", call.request.param("id"));
    TRY(check_limits(wanted.limits));
    Organisation changed = *found;
    changed.limits = wanted.limits;
    platform.directory.restore(changed);
    platform.put(call.change, changed);
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
    for (const LimitUse& use : report.limits)
        if (use.level == "key" && use.model.empty() && use.limit == "budget") {
            data.limit = use.allowed;
            data.limit_remaining = std::max(Units(), use.allowed - use.used);
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

Outcome generation(Platform& platform, Call& call) {
    const std::string id(call.request.query.get("id"));
    const Result<RequestId> parsed = RequestId::parse(id);
    const auto found = parsed ? platform.bill_by_id.find(to_string(UsageId(parsed->raw())))
                              : platform.bill_by_id.end();
    if (found == platform.bill_by_id.end()) return missing("call", id);
    const BillLine& line = platform.bills[found->second];
    if (line.organisation_id != call.principal.organisation_id || line.kind != "tokens")
        return missing("call", id);
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
    for (const UsageItem& item : line.usage) {
        if (item.meter.starts_with("output"))
            data.tokens_completion += item.quantity;
        else
            data.tokens_prompt += item.quantity;
        data.total_cost += TRY(parse_units(item.exact_amount));
    }
    return answer(GenerationAnswer{std::move(data)});
}

void add_key_routes(Api& api, Billing& billing) {
    Platform& platform = api.platform();
    api.query(
        "/v1/keys/{id}",
        {.operation = "getKey",
         .summary = "One key with its limits",
         .response = json::schema<Key>},
        [&platform](Call& call) -> Outcome {
            const access::StoredKey* found = find_key(platform, call);
            if (found == nullptr) return missing("key", call.request.param("id"));
            return answer(found->key);
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
         .summary = "Change a key's name, expiry or limits",
         .scope = Scope::keys_write,
         .request = json::schema<UpdateKey>,
         .response = json::schema<Key>},
        [&platform](Call& call) { return update_key(platform, call); }
    );
    api.command(
        "PATCH", "/v1/projects/{id}",
        {.operation = "updateProject",
         .summary = "Set the limits of a project",
         .scope = Scope::keys_write,
         .request = json::schema<UpdateLimits>,
         .response = json::schema<Project>},
        [&platform](Call& call) { return update_project(platform, call); }
    );
    api.command(
        "PATCH", "/v1/organisations/{id}",
        {.operation = "updateOrganisation",
         .summary = "Set the limits of an organisation",
         .scope = Scope::keys_write,
         .request = json::schema<UpdateLimits>,
         .response = json::schema<Organisation>},
        [&platform](Call& call) { return update_organisation(platform, call); }
    );
}

void add_spending_routes(Api& api, Billing& billing) {
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
    api.query(
        "/v1/generation",
        {.operation = "getGeneration",
         .summary = "Cost and route of one token call",
         .scope = Scope::billing_read,
         .response = json::schema<GenerationAnswer>,
         .query = {"id"}},
        [&platform](Call& call) { return generation(platform, call); }
    );
}

}  // namespace

void add_limit_routes(Api& api, Billing& billing) {
    add_key_routes(api, billing);
    add_spending_routes(api, billing);
}

}  // namespace penstock::server
