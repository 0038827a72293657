// SPDX-License-Identifier: Apache-2.0
#include "server/endpoint_prices.h"

#include <algorithm>

#include "model/quantization.h"
#include "routing/class_prices.h"

namespace penstock::server {
namespace {

bool is_cheaper(const Price& a, const Price& b) {
    return *multiply(1, QuantityScale::one, a) < *multiply(1, QuantityScale::one, b);
}

// "version 2: input_fresh 0.10, cache_read 0.01 …": for the log of events.
std::string text_of(const Endpoint& endpoint) {
    std::string text = "version " + std::to_string(endpoint.price_version) + ":";
    for (const PriceRow& row : routing::price_rows(routing::prices_of(endpoint)))
        if (!row.priced_as) text += " " + row.token_class + " " + to_string(row.price);
    if (endpoint.batch_percent)
        text += ", batches at " + std::to_string(*endpoint.batch_percent) + " %";
    if (endpoint.cached_percent)
        text += ", kept answers at " + std::to_string(*endpoint.cached_percent) + " %";
    return text;
}

// 0 lifts a share that was declared.
Result<void> take_share(
    std::optional<std::int64_t>& share, const std::optional<std::int64_t>& wanted,
    std::string_view field
) {
    if (!wanted) return {};
    share = wanted;
    if (*wanted == 0) share.reset();
    return check_share(share, field);
}

bool are_priced_apart(const Endpoint& a, const Endpoint& b) {
    return routing::prices_of(a) != routing::prices_of(b) || a.batch_percent != b.batch_percent ||
           a.cached_percent != b.cached_percent;
}

}  // namespace

Endpoint with_prices(Endpoint endpoint) {
    endpoint.prices = routing::price_rows(routing::prices_of(endpoint));
    return endpoint;
}

void add_prices(ModelEntry& entry, const Endpoint& endpoint, bool first) {
    const std::vector<PriceRow> rows = routing::price_rows(routing::prices_of(endpoint));
    if (first) entry.prices_min = rows;
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (is_cheaper(rows[i].price, entry.prices_min[i].price)) entry.prices_min[i] = rows[i];
    if (first || is_cheaper(endpoint.price_input, entry.price_input_min))
        entry.price_input_min = endpoint.price_input;
    if (first || is_cheaper(endpoint.price_output, entry.price_output_min))
        entry.price_output_min = endpoint.price_output;
}

std::optional<Continuation> stated(const std::optional<Continuation>& continuation) {
    return continuation == Continuation::none ? std::nullopt : continuation;
}

Result<void> check_continuation(
    const std::optional<Continuation>& continuation, std::string_view protocol
) {
    const bool any_way = protocol == "openai" || !stated(continuation);
    if (any_way || continuation == Continuation::prefill) return {};
    return fail_field(
        ErrorCode::invalid_argument, "continuation",
        "an engine that speaks '" + std::string(protocol) +
            "' goes on by 'prefill' alone: say that, or none"
    );
}

std::optional<EnginePhase> stated(const std::optional<EnginePhase>& phase) {
    return phase == EnginePhase::both ? std::nullopt : phase;
}

Result<void> check_weight(const std::optional<std::int64_t>& weight) {
    if (!weight || (*weight >= 0 && *weight <= kWeightMax)) return {};
    return fail_field(
        ErrorCode::invalid_argument, "weight",
        "is " + std::to_string(*weight) + ", which is not 0 to " + std::to_string(kWeightMax) +
            ": " + std::to_string(kWeightDefault) + " is the default, 0 takes no new calls"
    );
}

namespace {

// What gateways go by beside prices.
Result<void> take_routing(Endpoint& changed, const UpdateEndpoint& wanted) {
    if (wanted.continuation) {
        TRY(check_continuation(wanted.continuation, changed.protocol));
        changed.continuation = stated(wanted.continuation);
    }
    TRY(check_weight(wanted.weight));
    if (wanted.weight) changed.weight = wanted.weight;
    if (wanted.phase) changed.phase = stated(wanted.phase);
    if (wanted.on_disconnect) changed.on_disconnect = wanted.on_disconnect;
    return {};
}

}  // namespace

Outcome update_endpoint(
    Platform& platform, Change& change, const EndpointChange& to, const Endpoint& endpoint
) {
    const UpdateEndpoint& wanted = to.wanted;
    if (endpoint.task_id)
        return std::unexpected(Failure(Error{
            ErrorCode::conflict,
            "is a replica of task/" + to_string(*endpoint.task_id) +
                ": its prices and tokenizer stand in the task's service and at its site",
            "id"
        }));
    StoredEndpoint row = platform.endpoints.at(endpoint.id);
    Endpoint& changed = row.endpoint;
    if (wanted.price_input) changed.price_input = *wanted.price_input;
    if (wanted.price_output) changed.price_output = *wanted.price_output;
    if (wanted.class_prices) changed.class_prices = wanted.class_prices;
    if (changed.class_prices == ClassPrices{}) changed.class_prices.reset();
    TRY(routing::check(routing::prices_of(changed)));
    TRY(take_share(changed.batch_percent, wanted.batch_percent, "batch_percent"));
    TRY(take_share(changed.cached_percent, wanted.cached_percent, "cached_percent"));
    if (are_priced_apart(changed, endpoint)) {
        ++changed.price_version;
        changed.prices_valid_from = platform.now();
        platform.add_event(
            change, "endpoint/" + to_string(changed.id), "endpoint_priced", changed.provider_id,
            to.principal.actor(), text_of(changed)
        );
    }
    if (wanted.tokenizer_sha256) {
        changed.tokenizer_sha256 = wanted.tokenizer_sha256;
        if (wanted.tokenizer_sha256->empty()) changed.tokenizer_sha256.reset();
        if (changed.tokenizer_sha256 != endpoint.tokenizer_sha256) changed.second_meter.reset();
    }
    if (wanted.quantization && wanted.quantization->empty()) {
        changed.quantization.reset();
    } else if (wanted.quantization) {
        TRY(check_quantization(wanted.quantization, "quantization"));
        changed.quantization = wanted.quantization;
    }
    if (wanted.data_policy) changed.data_policy = wanted.data_policy;
    TRY(take_routing(changed, wanted));
    if (changed != endpoint) {
        platform.put(change, row);
        platform.endpoints[changed.id] = row;
        platform.touch_routes(change);
    }
    return answer(with_prices(changed));
}

}  // namespace penstock::server
