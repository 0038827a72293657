// SPDX-License-Identifier: Apache-2.0
#include "gateway/model_list.h"

#include <algorithm>

#include "gateway/api_answer.h"
#include "gateway/model_endpoints.h"
#include "gateway/model_prices.h"
#include "routing/call_limits.h"
#include "routing/json_scanner.h"

namespace penstock::gateway {
namespace {

std::string owner_of(
    const routing::EndpointPool& endpoints, const LoadMeter& loads, const std::string& model
) {
    const ElasticRoute* service = loads.service_of(model);
    if (endpoints.has_model(model) || service == nullptr) return endpoints.model_owner(model);
    return service->owner;
}

// What batches and kept answers cost, of the cheapest endpoint that sells them.
void append_shares(
    std::string& out, const routing::EndpointPool& endpoints, const std::string& model
) {
    using Share = std::optional<std::int64_t> Endpoint::*;
    const auto append = [&](std::string_view name, Share share) {
        const std::shared_ptr<const Route> route = endpoints.cheapest(model, share);
        if (!route) return;
        const std::int64_t percent = *(route->endpoint.*share);
        out.append(",\"").append(name).append("\":{\"percent\":").append(std::to_string(percent));
        CallRecord priced{
            .price_input = route->endpoint.price_input,
            .price_output = route->endpoint.price_output,
            .class_prices = route->endpoint.class_prices
        };
        if (routing::reduce_prices(priced, percent))
            append_pricing(out, routing::prices_of(priced));
        out += '}';
    };
    append("batch_pricing", &Endpoint::batch_percent);
    append("cached_pricing", &Endpoint::cached_percent);
}

void append_model(
    std::string& out, const routing::EndpointPool& endpoints, const LoadMeter& loads,
    const std::string& model
) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
        created_at(endpoints, loads, model).time_since_epoch()
    );
    out += R"({"id":)";
    routing::append_json_string(out, model);
    out += R"(,"object":"model","created":)" + std::to_string(seconds.count()) + R"(,"owned_by":)";
    routing::append_json_string(out, owner_of(endpoints, loads, model));
    if (const std::shared_ptr<const Route> route = endpoints.cheapest(model))
        append_pricing(out, routing::prices_of(route->endpoint));
    append_shares(out, endpoints, model);
    out += '}';
}

http::Response unauthenticated(const Error& error) {
    routing::ApiError told = routing::api_error(error);
    if (told.status == 401) told.code = "invalid_api_key";
    return error_response(told);
}

}  // namespace

std::vector<std::string> models_to_ask(
    const routing::EndpointPool& endpoints, const LoadMeter& loads
) {
    std::vector<std::string> models = endpoints.models();
    for (const ElasticRoute& service : loads.services()) models.push_back(service.model);
    std::ranges::sort(models);
    models.erase(std::ranges::unique(models).begin(), models.end());
    return models;
}

Time created_at(
    const routing::EndpointPool& endpoints, const LoadMeter& loads, const std::string& model
) {
    const ElasticRoute* service = loads.service_of(model);
    if (service == nullptr) return endpoints.model_created(model);
    if (!endpoints.has_model(model)) return service->created_at;
    return std::min(service->created_at, endpoints.model_created(model));
}

io::Task<http::Response> ModelList::list(http::Request request) {
    const Result<KeyPtr> key =
        co_await authenticator_.authenticate(Authenticator::shown(request.headers));
    if (!key) co_return unauthenticated(key.error());
    std::string body = R"({"object":"list","data":[)";
    bool first = true;
    for (const std::string& model : models_to_ask(endpoints_, loads_)) {
        if (!routing::check_model(**key, model)) continue;
        if (!std::exchange(first, false)) body += ',';
        append_model(body, endpoints_, loads_, model);
    }
    co_return http::Response::json(200, body + "]}");
}

io::Task<http::Response> ModelList::get(http::Request request) {
    const Result<KeyPtr> key =
        co_await authenticator_.authenticate(Authenticator::shown(request.headers));
    if (!key) co_return unauthenticated(key.error());
    constexpr std::string_view kEndpoints = "/endpoints";
    std::string model = request.param("id");
    const std::vector<std::string> models = models_to_ask(endpoints_, loads_);
    const bool whole = std::ranges::binary_search(models, model);
    const bool wraps = !whole && model.ends_with(kEndpoints);
    if (wraps) model.resize(model.size() - kEndpoints.size());
    if (!std::ranges::binary_search(models, model) || !routing::check_model(**key, model))
        co_return error_response(
            {.status = 404,
             .message = "the model '" + model + "' does not exist",
             .type = "invalid_request_error",
             .param = "model",
             .code = "model_not_found"}
        );
    std::string body;
    append_model(body, endpoints_, loads_, model);
    body.pop_back();
    append_endpoints(body, endpoints_, model, clock_.now());
    body += '}';
    if (wraps) body = R"({"data":)" + body + '}';
    co_return http::Response::json(200, std::move(body));
}

}  // namespace penstock::gateway
