// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "dialects/documents.h"
#include "dialects/splice.h"
#include "gateway/call_hold.h"
#include "gateway/call_input.h"
#include "gateway/dialect_calls.h"

// POST /v1/messages/count_tokens: free, and limited as calls are by the minute and at one time.
namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::Json;
using routing::ApiError;

// The estimate where no engine counts: about what tokenizers make of prose.
constexpr std::int64_t kEstimatedBytesPerToken = 4;
constexpr Duration kCountTimeout = 10s;

// Tools are a part of the prompt, whatever a model's template makes of them.
std::int64_t bytes_of(const dialects::Request& request) {
    std::size_t tools = 0;
    for (const dialects::Tool& tool : request.tools) {
        tools += tool.name.size() + tool.description.value_or("").size();
        if (tool.parameters) tools += dialects::print_json(*tool.parameters).size();
        if (!tool.function) tools += dialects::print_json(tool.native).size();
    }
    return dialects::prompt_size(request).text_bytes + static_cast<std::int64_t>(tools);
}

std::unexpected<ApiError> refuse(ApiError error) { return std::unexpected(std::move(error)); }

// A request that has been let in counts for its minute, however it ends.
class CountedRequest {
  public:
    explicit CountedRequest(routing::Hold hold) : hold_(std::move(hold)) {}
    ~CountedRequest() {
        if (hold_.open()) hold_.settle({});
    }
    CountedRequest(const CountedRequest&) = delete;
    CountedRequest& operator=(const CountedRequest&) = delete;

  private:
    routing::Hold hold_;
};

// A call in flight at an endpoint until it is told how it ended, or nobody waits for it any more.
class Visit {
  public:
    Visit(CallParts& parts, const routing::EndpointPool::Choice& choice)
        : parts_(parts), choice_(choice) {}
    ~Visit() { parts_.endpoints.finish(choice_, outcome, parts_.clock.now()); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    routing::AttemptOutcome outcome = routing::AttemptOutcome::abandoned;

  private:
    CallParts& parts_;
    routing::EndpointPool::Choice choice_;
};

}  // namespace

io::Task<http::Response> DialectCalls::count_tokens(http::Request request) {
    Admitted admitted{.dialect = Dialect::anthropic};
    const auto refused = [](const ApiError& error) {
        return error_response(Dialect::anthropic, error);
    };
    if (const ApiResult<void> fine = co_await admit_count(&request, &admitted); !fine)
        co_return refused(fine.error());
    const std::string& model = admitted.request.model;
    const Time now = parts_.calls.clock.now();
    const routing::CallNeeds needs{.model = model, .admitted_at = now, .unbilled = true};
    std::expected<routing::Hold, ApiError> hold =
        co_await parts_.calls.budget.reserve(admitted.key.get(), needs, now + kCountTimeout);
    const routing::HeaderList rates = parts_.calls.budget.rate_headers(*admitted.key, needs);
    if (!hold) {
        hold.error().headers.insert(hold.error().headers.end(), rates.begin(), rates.end());
        co_return refused(hold.error());
    }
    const CountedRequest counted(*std::move(hold));
    http::Response response;
    if (parts_.calls.endpoints.has_model(model, "anthropic")) {
        const std::optional<std::string> answer = co_await ask_for_count(&admitted);
        if (!answer)
            co_return refused(engine_failure(502, "the engine did not count the request's tokens"));
        response = http::Response::json(200, *answer);
    } else {
        const std::int64_t bytes = bytes_of(admitted.request);
        const std::int64_t tokens = (bytes + kEstimatedBytesPerToken - 1) / kEstimatedBytesPerToken;
        response = http::Response::json(200, R"({"input_tokens":)" + std::to_string(tokens) + "}");
        add_penstock_header(response, "basis", "estimated");
    }
    for (const auto& [name, value] : rates) response.headers.set(name, value);
    co_return response;
}

io::Task<ApiResult<void>> DialectCalls::admit_count(http::Request* request, Admitted* admitted) {
    if (ApiResult<void> room = check_room(parts_.calls, parts_.options, parts_.routes_known); !room)
        co_return room;
    const Result<KeyPtr> key =
        co_await parts_.authenticator.authenticate(Authenticator::shown(request->headers));
    if (!key) co_return refuse(told(key.error()));
    admitted->key = *key;
    ApiResult<std::string> body = co_await read_call_body(request, parts_.options.request_body_max);
    if (!body) co_return refuse(body.error());
    admitted->body = *std::move(body);
    Result<Json> document = dialects::parse_json(admitted->body);
    if (!document) co_return refuse(told(document.error()));
    Result<dialects::Request> asked = dialects::read_count_request(*std::move(document));
    if (!asked) co_return refuse(told(asked.error()));
    admitted->request = *std::move(asked);
    admitted->deadline = io::Deadline::after(kCountTimeout);
    for (const char* name : {"anthropic-version", "anthropic-beta"})
        if (const auto value = request->headers.find(name)) admitted->passed.set(name, *value);
    const std::string& model = admitted->request.model;
    if (!parts_.calls.endpoints.has_model(model)) co_return refuse(no_such_model(model));
    if (const Result<void> allowed = routing::check_model(*admitted->key, model); !allowed)
        co_return refuse(told(allowed.error()));
    co_return ApiResult<void>();
}

io::Task<std::optional<std::string>> DialectCalls::ask_for_count(const Admitted* admitted) {
    routing::EndpointPool& endpoints = parts_.calls.endpoints;
    const routing::EndpointLists lists(*admitted->key);
    routing::EndpointQuery query = query_of(*admitted, lists);
    query.protocol = "anthropic";
    const Result<routing::EndpointPool::Choice> choice =
        endpoints.choose(query, parts_.calls.clock.now(), parts_.random);
    if (!choice) co_return std::nullopt;
    Visit visit(parts_.calls, *choice);
    const Route route = *endpoints.find(choice->endpoint_id);
    http::ClientRequest request{
        .method = "POST", .url = route.endpoint.url, .headers = admitted->passed, .repeatable = true
    };
    while (request.url.ends_with('/')) request.url.pop_back();
    request.url += "/v1/messages/count_tokens";
    request.headers.set("Content-Type", "application/json");
    if (!request.headers.contains("anthropic-version"))
        request.headers.set("anthropic-version", "2023-06-01");
    if (route.api_key) request.headers.set("x-api-key", *route.api_key);
    request.body = dialects::with_member(
        admitted->body, "model", dialects::print_json(Json(route.endpoint.upstream_model))
    );
    const Result<http::ClientResponse> response =
        co_await parts_.upstream.send(std::move(request), admitted->deadline);
    visit.outcome = response ? routing::AttemptOutcome::answered : routing::AttemptOutcome::failed;
    if (!response || response->status != 200) co_return std::nullopt;
    co_return response->body;
}

}  // namespace penstock::gateway
