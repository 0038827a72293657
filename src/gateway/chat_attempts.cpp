// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_hold.h"
#include "gateway/call_input.h"
#include "gateway/chat_completions.h"

// Which engines of OpenAI's API a Chat call is sent to, one after the other.
namespace penstock::gateway {
namespace {

std::unexpected<routing::ApiError> refuse(routing::ApiError error) {
    return std::unexpected(std::move(error));
}

}  // namespace

// Tries endpoints until one answers, none is left, or the deadline or the retry budget ends it.
io::Task<void> ChatCompletions::open(Admitted* admitted, std::optional<Opened>* last) {
    std::vector<EndpointId> tried = admitted->call->excluded();
    for (int number = 0; number < kAttemptsMax; ++number) {
        if (number > 0 && !co_await parts_.attempts.wait_for_retry(
                              admitted->call.get(), number, admitted->deadline
                          ))
            co_return;
        if (!dispatch_next(*admitted, number, tried, *last) &&
            !co_await dispatch_otherwise(admitted, number, &tried, last))
            co_return;
        const bool retryable = co_await attempt(admitted, number, last);
        if (!retryable || admitted->deadline.passed()) co_return;
        tried.push_back(admitted->call->route().endpoint.id);
    }
}

// No engine of OpenAI's API can be asked now. Another one needs no wait, and so it comes before one
// that is to be asked again.
io::Task<bool> ChatCompletions::dispatch_otherwise(
    Admitted* admitted, int number, std::vector<EndpointId>* tried, std::optional<Opened>* last
) {
    if (number == 0 && parts_.held.sleeps(admitted->chat.model))
        co_return co_await dispatch_when_ready(admitted, tried, last);
    if (others_may_answer(*admitted, *tried)) {
        admitted->handed = {.attempts = number, .tried = std::move(*tried)};
        co_return false;
    }
    if (!co_await parts_.attempts.wait_as_told(number, last, admitted->deadline)) co_return false;
    std::erase(*tried, admitted->call->route().endpoint.id);
    co_return dispatch_next(*admitted, number, *tried, *last);
}

// Whether an engine of another API is within what the call asks for and was not asked yet.
bool ChatCompletions::others_may_answer(
    const Admitted& admitted, const std::vector<EndpointId>& tried
) const {
    const routing::EndpointPool& endpoints = parts_.calls.endpoints;
    if (!endpoints.has_model_beside(admitted.chat.model, "openai")) return false;
    const routing::EndpointLists lists(admitted.call->key());
    routing::EndpointQuery query = query_of(admitted, lists);
    query.protocol = {};
    query.excluded = tried;
    return endpoints.has_allowed(query);
}

bool ChatCompletions::dispatch_next(
    Admitted& admitted, int number, std::vector<EndpointId>& tried, std::optional<Opened>& last
) {
    const ApiResult<routing::EndpointPool::Choice> choice = choose(admitted, tried);
    if (!choice) {
        if (!last) last.emplace(refuse(choice.error()));
        return false;
    }
    if (number > 0) parts_.calls.metrics.on_retry();
    // The answer of the attempt before is dropped only now: if nobody else can answer, it is given.
    last.reset();
    admitted.call->dispatch(*choice);
    admitted.call->count_prompt([&] { return TextMeter::Prompt{.body = admitted.body}; });
    return true;
}

io::Task<bool> ChatCompletions::dispatch_when_ready(
    Admitted* admitted, std::vector<EndpointId>* tried, std::optional<Opened>* last
) {
    last->reset();
    ApiResult<void> ready = co_await parts_.held.until_ready(
        {.key = &admitted->call->key(),
         .model = admitted->chat.model,
         .bytes = admitted->body.size(),
         .deadline = admitted->deadline}
    );
    if (ready) co_return dispatch_next(*admitted, 0, *tried, *last);
    last->emplace(refuse(std::move(ready.error())));
    co_return false;
}

ApiResult<routing::EndpointPool::Choice> ChatCompletions::choose(
    Admitted& admitted, std::vector<EndpointId>& tried
) {
    routing::EndpointPool& endpoints = parts_.calls.endpoints;
    const Time now = parts_.calls.clock.now();
    const routing::TokenBound bound =
        routing::token_bound(admitted.chat, parts_.options.output_tokens_default);
    const routing::EndpointLists lists(admitted.call->key());
    while (true) {
        routing::EndpointQuery query = query_of(admitted, lists);
        query.excluded = tried;
        query.remembers_prompt = tried.empty();
        const Result<routing::EndpointPool::Choice> choice =
            endpoints.choose(query, now, parts_.random);
        parts_.calls.metrics.on_choice(endpoints.last_decision());
        if (!choice) {
            routing::ApiError error = told(choice.error());
            const std::optional<Duration> after = endpoints.retry_after(admitted.chat.model, now);
            if (error.status == 503 && after) error.retry_after = after;
            return refuse(std::move(error));
        }
        const Endpoint& endpoint = endpoints.find(choice->endpoint_id)->endpoint;
        const Result<Money> most = routing::worst_case(bound, routing::prices_of(endpoint));
        if (most && *most <= admitted.call->cost_max()) {
            admitted.call->explain_choice();
            return *choice;
        }
        // It came, or became dearer, after the hold was made.
        endpoints.finish(*choice, routing::AttemptOutcome::abandoned, now);
        tried.push_back(choice->endpoint_id);
    }
}

io::Task<bool> ChatCompletions::attempt(
    Admitted* admitted, int number, std::optional<Opened>* opened
) {
    Attempts::Plan plan{
        .call = admitted->call.get(),
        .number = number,
        .ask =
            {.request = upstream_request(*admitted, admitted->call->route()),
             .streamed = admitted->chat.stream,
             .deadline = admitted->deadline},
        .second = {},
    };
    plan.ask.request.at_once = admitted->chat.stream;  // whose client waits for the first token
    plan.ask.request.on_sent = [call = plan.call, &budget = parts_.calls.budget] {
        prepare_description(*call, budget);
    };
    if (parts_.options.hedge) plan.second = [this, admitted] { return second_of(*admitted); };
    return parts_.attempts.run(std::move(plan), opened);
}

std::optional<Attempts::Second> ChatCompletions::second_of(Admitted& admitted) {
    std::vector<EndpointId> tried{admitted.call->route().endpoint.id};
    const ApiResult<routing::EndpointPool::Choice> choice = choose(admitted, tried);
    if (!choice) return std::nullopt;
    const std::shared_ptr<const Route> route = parts_.calls.endpoints.find(choice->endpoint_id);
    return Attempts::Second{*choice, upstream_request(admitted, *route)};
}

// Made from nothing: no header of the client travels to the engine, and so none of its credentials.
http::ClientRequest ChatCompletions::upstream_request(const Admitted& admitted, const Route& route)
    const {
    // Engines close kept connections when they like. What such a one did not answer is asked again,
    // as it would be of another endpoint.
    http::ClientRequest request{.method = "POST", .url = route.endpoint.url, .repeatable = true};
    while (request.url.ends_with('/')) request.url.pop_back();
    request.url += "/v1/chat/completions";
    request.headers.add("Content-Type", "application/json");
    request.headers.add("Accept", admitted.chat.stream ? "text/event-stream" : "application/json");
    if (route.api_key) request.headers.add("Authorization", "Bearer " + *route.api_key);
    add_trace(request.headers, admitted.trace);
    request.headers.add("X-Request-Id", to_string(admitted.call->id()));
    request.body = routing::upstream_body(
        admitted.body, admitted.chat,
        {.model = route.endpoint.upstream_model,
         .output_tokens_default = parts_.options.output_tokens_default}
    );
    return request;
}

}  // namespace penstock::gateway
