// SPDX-License-Identifier: Apache-2.0
#include "gateway/model_list.h"

#include <algorithm>
#include <charconv>

#include "dialects/documents.h"
#include "gateway/api_answer.h"
#include "gateway/dialect_calls.h"
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

// Both APIs have this path; Anthropic's clients name the version that they speak.
bool is_anthropic(const http::Request& request) {
    return request.headers.contains("anthropic-version");
}

http::Response refusal(const http::Request& request, const routing::ApiError& error) {
    if (!is_anthropic(request)) return error_response(error);
    return error_response(dialects::Dialect::anthropic, error);
}

http::Response unauthenticated(const http::Request& request, const Error& error) {
    routing::ApiError told = routing::api_error(error);
    if (told.status == 401) told.code = "invalid_api_key";
    return refusal(request, told);
}

dialects::Json::Object anthropic_model(const std::string& model, Time created) {
    return {
        {"type", "model"},
        {"id", model},
        {"display_name", model},
        {"created_at", to_rfc3339(created)},
        {"lifecycle", "active"}
    };
}

struct Page {
    std::size_t begin = 0;
    std::size_t end = 0;
};

// limit, after_id, before_id; nothing where the limit is none.
std::optional<Page> page_of(const http::Query& query, const std::vector<std::string>& models) {
    constexpr std::size_t kPage = 20;
    constexpr std::size_t kPageMax = 1000;
    std::size_t limit = kPage;
    if (const std::string* text = query.find("limit")) {
        const auto [end, wrong] = std::from_chars(text->data(), text->data() + text->size(), limit);
        const bool whole = wrong == std::errc() && end == text->data() + text->size();
        if (!whole || limit < 1 || limit > kPageMax) return std::nullopt;
    }
    const auto place = [&](std::string_view name, std::size_t otherwise) {
        const std::string* id = query.find(name);
        if (id == nullptr) return otherwise;
        const auto found = std::ranges::lower_bound(models, *id);
        const bool past = name == "after_id" && found != models.end() && *found == *id;
        return static_cast<std::size_t>(found - models.begin()) + (past ? 1 : 0);
    };
    Page page{.begin = place("after_id", 0), .end = place("before_id", models.size())};
    page.begin = std::min(page.begin, page.end);
    if (page.end - page.begin <= limit) return page;
    // What comes before an id ends there; else the page begins where it was asked for.
    if (query.contains("before_id"))
        page.begin = page.end - limit;
    else
        page.end = page.begin + limit;
    return page;
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
    if (!key) co_return unauthenticated(request, key.error());
    std::vector<std::string> models = models_to_ask(endpoints_, loads_);
    std::erase_if(models, [&](const std::string& model) {
        return !routing::check_model(**key, model);
    });
    if (is_anthropic(request)) co_return anthropic_page(request, std::move(models));
    std::string body = R"({"object":"list","data":[)";
    bool first = true;
    for (const std::string& model : models) {
        if (!std::exchange(first, false)) body += ',';
        append_model(body, endpoints_, loads_, model);
    }
    co_return http::Response::json(200, body + "]}");
}

http::Response ModelList::anthropic_page(
    const http::Request& request, std::vector<std::string> models
) const {
    const std::optional<Page> page = page_of(request.query, models);
    if (!page) return refusal(request, routing::invalid_request("expected 1 to 1000", "limit"));
    dialects::Json::Array data;
    for (std::size_t i = page->begin; i < page->end; ++i)
        data.emplace_back(anthropic_model(models[i], created_at(endpoints_, loads_, models[i])));
    const bool some = page->begin < page->end;
    const bool backward = request.query.contains("before_id");
    return http::Response::json(
        200, dialects::print_json(dialects::Json::Object{
                 {"data", std::move(data)},
                 {"has_more", backward ? page->begin > 0 : page->end < models.size()},
                 {"first_id", some ? dialects::Json(models[page->begin]) : dialects::Json()},
                 {"last_id", some ? dialects::Json(models[page->end - 1]) : dialects::Json()}
             })
    );
}

io::Task<http::Response> ModelList::get(http::Request request) {
    const Result<KeyPtr> key =
        co_await authenticator_.authenticate(Authenticator::shown(request.headers));
    if (!key) co_return unauthenticated(request, key.error());
    constexpr std::string_view kEndpoints = "/endpoints";
    std::string model = request.param("id");
    const std::vector<std::string> models = models_to_ask(endpoints_, loads_);
    const bool whole = std::ranges::binary_search(models, model);
    const bool wraps = !whole && model.ends_with(kEndpoints);
    if (wraps) model.resize(model.size() - kEndpoints.size());
    if (!std::ranges::binary_search(models, model) || !routing::check_model(**key, model))
        co_return refusal(
            request, {.status = 404,
                      .message = "the model '" + model + "' does not exist",
                      .type = "invalid_request_error",
                      .param = "model",
                      .code = "model_not_found"}
        );
    if (is_anthropic(request))
        co_return http::Response::json(
            200, dialects::print_json(anthropic_model(model, created_at(endpoints_, loads_, model)))
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
