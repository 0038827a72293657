// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_hold.h"

#include "base/fixed_text.h"
#include "gateway/call_input.h"
#include "gateway/idempotent_call.h"

namespace penstock::gateway {

namespace {

constexpr Duration kDrainRetryAfter = 5s;  // load balancers have looked by then

ApiResult<routing::CallNeeds> needs_of(CallParts& parts, const HoldRequest& request) {
    const std::string_view model = request.endpoints.model;
    if (const Result<void> allowed = routing::check_model(*request.key, model); !allowed)
        return std::unexpected(told(allowed.error()));
    const Result<Money> amount = parts.endpoints.worst_case(request.endpoints, request.bound);
    if (!amount) return std::unexpected(told(amount.error()));
    return routing::CallNeeds{
        .model = model,
        .amount = *amount,
        .tokens = request.bound.input + request.bound.output,
        .admitted_at = request.admitted_at
    };
}

void add_rate_headers(
    ApiResult<routing::Hold>& hold, CallParts& parts, const ResolvedKey& key,
    const routing::CallNeeds& needs
) {
    if (hold) return;
    const routing::HeaderList headers = parts.budget.rate_headers(key, needs);
    hold.error().headers.insert(hold.error().headers.end(), headers.begin(), headers.end());
}

}  // namespace

ApiResult<void> check_room(
    const CallParts& parts, const GatewayOptions& options, bool routes_known, bool goes_on
) {
    if (parts.draining && !goes_on) {
        routing::ApiError error = busy(
            "this gateway is draining: it takes no new calls, and another one does; send the call "
            "again"
        );
        error.code = "draining";
        error.retry_after = kDrainRetryAfter;
        return std::unexpected(std::move(error));
    }
    if (!routes_known) return std::unexpected(busy("the gateway has not received its routes yet"));
    if (parts.calls_running >= static_cast<std::int64_t>(options.calls_max))
        return std::unexpected(busy("the gateway carries as many calls as it may"));
    if (!parts.spool.has_room())
        return std::unexpected(
            busy("the gateway's record of calls has no room for more while they cannot be settled; "
                 "calls resume when the platform's server has taken them")
        );
    return {};
}

std::optional<ApiResult<routing::Hold>> hold_for_call_now(
    CallParts& parts, const HoldRequest& request
) {
    const ApiResult<routing::CallNeeds> needs = needs_of(parts, request);
    if (!needs) return std::unexpected(needs.error());
    std::optional<ApiResult<routing::Hold>> hold =
        parts.budget.reserve_now(*request.key, *needs, request.deadline);
    if (hold) add_rate_headers(*hold, parts, *request.key, *needs);
    return hold;
}

io::Task<ApiResult<routing::Hold>> hold_for_call(CallParts* parts, HoldRequest request) {
    const ApiResult<routing::CallNeeds> needs = needs_of(*parts, request);
    if (!needs) co_return std::unexpected(needs.error());
    ApiResult<routing::Hold> hold =
        co_await parts->budget.reserve(request.key, *needs, request.deadline);
    add_rate_headers(hold, *parts, *request.key, *needs);
    co_return hold;
}

RequestId call_id_for(const http::Request& request, IdSource& ids, Time now) {
    if (const BatchCallPtr line = batch_call_of(request)) return line->id;
    if (const IdempotentCallPtr call = idempotent_call_of(request)) return call->next_id(ids, now);
    return ids.next<RequestId>(now);
}

void take_context(const http::Request& request, Call::Admission& admission) {
    admission.batch = batch_call_of(request);
    admission.idempotent = idempotent_call_of(request);
    if (admission.idempotent && admission.streamed)
        admission.recorder = admission.idempotent->recorder();
}

namespace {

std::unique_ptr<http::Headers> description_of(const Call& call, Budget& budget) {
    const Endpoint& endpoint = call.route().endpoint;
    auto headers = std::make_unique<http::Headers>();
    add_penstock_header(*headers, "call", IdText(call.id()).view());
    add_penstock_header(*headers, "model", call.model());
    add_penstock_header(*headers, "provider", endpoint.provider);
    add_penstock_header(*headers, "site", endpoint.site);
    add_penstock_header(*headers, "endpoint", IdText(endpoint.id).view());
    add_penstock_header(*headers, "max-cost", to_string(call.cost_max()));
    if (endpoint.simulated) add_penstock_header(*headers, "simulated", "true");
    add_penstock_header(*headers, "cache", call.cache_word());
    const routing::CallNeeds needs{.model = call.model(), .admitted_at = call.started_at()};
    for (const auto& [name, value] : budget.rate_headers(call.key(), needs))
        headers->add(name, value);
    return headers;
}

}  // namespace

void prepare_description(Call& call, Budget& budget) {
    call.keep_description(description_of(call, budget));
}

void describe_call(http::Response& response, Call& call, Budget& budget) {
    call.record_opened();  // its id is told
    std::unique_ptr<http::Headers> headers = call.take_description();
    if (!headers) headers = description_of(call, budget);
    for (const http::Header& own : response.headers) headers->add(own.name, own.value);
    response.headers = std::move(*headers);
}

}  // namespace penstock::gateway
