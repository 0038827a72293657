// SPDX-License-Identifier: Apache-2.0
#include "dialects/documents.h"
#include "dialects/embeddings.h"
#include "dialects/splice.h"
#include "gateway/call_input.h"
#include "gateway/dialect_calls.h"
#include "gateway/engine_request.h"

// Which engines a call of any dialect is sent to, one after the other, and as what.
namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::Json;
using routing::ApiError;

std::unexpected<ApiError> refuse(ApiError error) { return std::unexpected(std::move(error)); }

std::string json_string(std::string_view text) { return dialects::print_json(Json(text)); }

}  // namespace

// Tries endpoints until one answers, none is left, or the deadline or the retry budget ends it.
io::Task<DialectCalls::Opened> DialectCalls::open(Admitted* admitted) {
    std::vector<EndpointId> tried =
        admitted->last ? std::move(admitted->tried) : admitted->call->excluded();
    std::optional<Opened> last = std::exchange(admitted->last, std::nullopt);
    const int first = admitted->attempts;
    for (int number = first; number < ChatCompletions::kAttemptsMax; ++number) {
        if (number > first && !co_await parts_.attempts.wait_for_retry(
                                  admitted->call.get(), number, admitted->deadline
                              ))
            break;
        ApiResult<routing::EndpointPool::Choice> choice =
            co_await choose_or_wait(admitted, number, &tried, &last);
        if (!choice) {
            if (!last) last.emplace(refuse(choice.error()));
            break;
        }
        const Route route = *parts_.calls.endpoints.find(choice->endpoint_id);
        ApiResult<http::ClientRequest> request = engine_request(*admitted, route);
        if (!request) {
            parts_.calls.endpoints.finish(
                *choice, routing::AttemptOutcome::abandoned, parts_.calls.clock.now()
            );
            if (!last) last.emplace(refuse(std::move(request.error())));
            if (!looks_further(*admitted)) break;
            tried.push_back(choice->endpoint_id);
            --number;  // it was no attempt
            continue;
        }
        if (number > 0) parts_.calls.metrics.on_retry();
        // The answer of the attempt before is dropped only now: if nobody else can answer, it is
        // given.
        last.reset();
        admitted->call->dispatch(*choice);
        admitted->call->count_prompt([&] {
            return TextMeter::Prompt{admitted->dialect, admitted->embeddings, admitted->body};
        });
        const bool retryable = co_await attempt(admitted, {number, *std::move(request)}, &last);
        if (!retryable || admitted->deadline.passed()) break;
        tried.push_back(admitted->call->route().endpoint.id);
    }
    co_return *std::move(last);
}

io::Task<ApiResult<routing::EndpointPool::Choice>> DialectCalls::choose_or_wait(
    Admitted* admitted, int number, std::vector<EndpointId>* tried,
    const std::optional<Opened>* last
) {
    ApiResult<routing::EndpointPool::Choice> choice = choose(*admitted, *tried);
    if (choice) co_return choice;
    if (!*last && parts_.held.sleeps(admitted->request.model)) {
        // The last replica left when the call had been admitted.
        ApiResult<void> ready = co_await parts_.held.until_ready(
            {.key = admitted->key.get(),
             .model = admitted->request.model,
             .bytes = admitted->body.size(),
             .deadline = admitted->deadline}
        );
        if (!ready) co_return refuse(std::move(ready.error()));
        co_return choose(*admitted, *tried);
    }
    if (!co_await parts_.attempts.wait_as_told(number, last, admitted->deadline)) co_return choice;
    std::erase(*tried, admitted->call->route().endpoint.id);
    co_return choose(*admitted, *tried);
}

// A call that names what engines must understand goes on to one that does.
bool DialectCalls::looks_further(const Admitted& admitted) {
    return admitted.wishes.provider && admitted.wishes.provider->require_parameters;
}

// An engine of the client's dialect first: nothing is lost on the way to it.
ApiResult<routing::EndpointPool::Choice> DialectCalls::choose(
    const Admitted& admitted, std::vector<EndpointId>& tried
) {
    routing::EndpointPool& endpoints = parts_.calls.endpoints;
    const Time now = parts_.calls.clock.now();
    const routing::EndpointLists lists(*admitted.key);
    while (true) {
        routing::EndpointQuery query = query_of(admitted, lists);
        query.excluded = tried;
        query.remembers_prompt = tried.empty();
        // Anthropic's API makes no embeddings.
        const std::string_view other = admitted.dialect == Dialect::ollama ? "openai" : "ollama";
        const std::string_view any = admitted.embeddings ? other : query.protocol;
        query.protocol = protocol_of(admitted.dialect);
        Result<routing::EndpointPool::Choice> choice = endpoints.choose(query, now, parts_.random);
        query.protocol = any;
        if (!choice) choice = endpoints.choose(query, now, parts_.random);
        parts_.calls.metrics.on_choice(endpoints.last_decision());
        if (!choice) {
            ApiError error = told(choice.error());
            if (error.status == 503)
                if (const auto after = endpoints.retry_after(admitted.request.model, now))
                    error.retry_after = after;
            return refuse(std::move(error));
        }
        const Endpoint& endpoint = endpoints.find(choice->endpoint_id)->endpoint;
        const Result<Money> most =
            routing::worst_case(admitted.bound, routing::prices_of(endpoint));
        if (most && *most <= admitted.call->cost_max()) {
            admitted.call->explain_choice();
            return *choice;
        }
        // It came, or became dearer, after the hold was made.
        endpoints.finish(*choice, routing::AttemptOutcome::abandoned, now);
        tried.push_back(choice->endpoint_id);
    }
}

// Of the client's own bytes: the model's name and, where it gave none, a bound on the output.
std::string DialectCalls::engine_body(const Admitted& admitted, const Route& route) const {
    std::string body = admitted.body;
    if (route.endpoint.upstream_model != admitted.request.model)
        body = dialects::with_member(body, "model", json_string(route.endpoint.upstream_model));
    if (admitted.dialect != Dialect::ollama || admitted.embeddings) return body;
    Json::Object options;
    if (const Json* given = dialects::find(admitted.request.shape, "options"))
        if (given->if_object() != nullptr) options = *given->if_object();
    dialects::put(
        options, "num_predict",
        admitted.request.output_tokens_max.value_or(parts_.options.output_tokens_default)
    );
    return dialects::with_member(body, "options", dialects::print_json(options));
}

ApiResult<dialects::Written> DialectCalls::converted_request(
    const Admitted& admitted, const Route& route
) {
    if (!admitted.embeddings) {
        dialects::Request asked = admitted.request;
        asked.model = route.endpoint.upstream_model;
        return dialects::write_request(asked, admitted.engine);
    }
    Result<Json> document = dialects::parse_json(admitted.body);
    if (!document) return refuse(told(document.error()));
    Result<dialects::EmbeddingsRequest> asked =
        dialects::read_embeddings_request(admitted.dialect, *std::move(document));
    if (!asked) return refuse(told(asked.error()));
    asked->model = route.endpoint.upstream_model;
    Result<dialects::Written> written = dialects::write_embeddings_request(*asked, admitted.engine);
    if (!written) return refuse(told(written.error()));
    return *std::move(written);
}

ApiResult<http::ClientRequest> DialectCalls::engine_request(Admitted& admitted, const Route& route)
    const {
    admitted.engine = dialect_of_protocol(route.endpoint.protocol);
    admitted.dropped.clear();
    http::ClientRequest request = request_to(
        {.route = &route,
         .engine = admitted.engine,
         .embeddings = admitted.embeddings,
         .passed = admitted.converts() ? nullptr : &admitted.passed,
         .trace = &admitted.trace,
         .id = admitted.call->id()}
    );
    if (admitted.converts()) {
        ApiResult<dialects::Written> written = converted_request(admitted, route);
        if (!written) return refuse(std::move(written.error()));
        if (!written->dropped.empty() && !admitted.drops)
            return refuse(dialects::refusal_of(written->dropped, admitted.engine));
        admitted.dropped = std::move(written->dropped);
        request.body = dialects::print_json(written->body);
    } else {
        request.body = engine_body(admitted, route);
    }
    return request;
}

io::Task<bool> DialectCalls::attempt(
    Admitted* admitted, Attempt attempt, std::optional<Opened>* opened
) {
    Attempts::Plan plan{
        .call = admitted->call.get(),
        .number = attempt.number,
        .ask =
            {.request = std::move(attempt.request),
             .engine = admitted->engine,
             .streamed = admitted->request.stream,
             .deadline = admitted->deadline},
        .second = {},
    };
    if (parts_.options.hedge) plan.second = [this, admitted] { return second_of(*admitted); };
    return parts_.attempts.run(std::move(plan), opened);
}

// In the dialect of the first one: its answer is read as that one's would be.
std::optional<Attempts::Second> DialectCalls::second_of(Admitted& admitted) {
    routing::EndpointPool& endpoints = parts_.calls.endpoints;
    std::vector<EndpointId> tried{admitted.call->route().endpoint.id};
    const ApiResult<routing::EndpointPool::Choice> choice = choose(admitted, tried);
    if (!choice) return std::nullopt;
    const std::shared_ptr<const Route> route = endpoints.find(choice->endpoint_id);
    ApiResult<http::ClientRequest> request = std::unexpected(ApiError());
    if (dialect_of_protocol(route->endpoint.protocol) == admitted.engine)
        request = engine_request(admitted, *route);
    if (request) return Attempts::Second{*choice, *std::move(request)};
    endpoints.finish(*choice, routing::AttemptOutcome::abandoned, parts_.calls.clock.now());
    return std::nullopt;
}

}  // namespace penstock::gateway
