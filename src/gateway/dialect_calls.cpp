// SPDX-License-Identifier: Apache-2.0
#include "gateway/dialect_calls.h"

#include <algorithm>

#include "dialects/embeddings.h"
#include "dialects/responses.h"
#include "dialects/stream.h"
#include "gateway/call_hold.h"
#include "gateway/call_input.h"
#include "gateway/departed_calls.h"
#include "gateway/span_exporter.h"

namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::Json;
using routing::ApiError;

std::unexpected<ApiError> refuse(ApiError error) { return std::unexpected(std::move(error)); }

}  // namespace

std::string_view protocol_of(Dialect dialect) {
    if (dialect == Dialect::anthropic) return "anthropic";
    return dialect == Dialect::ollama ? "ollama" : "openai";
}

http::Response error_response(Dialect dialect, const ApiError& error) {
    http::Response response = error_response(error);
    response.body = dialects::print_json(dialects::write_error(dialect, error));
    return response;
}

// ---- admission ----

io::Task<http::Response> DialectCalls::serve(http::Request request, Dialect dialect) {
    ApiResult<std::string> body =
        co_await read_call_body(&request, parts_.options.request_body_max);
    if (!body) co_return error_response(dialect, body.error());
    Admitted admitted{.dialect = dialect, .body = *std::move(body)};
    if (dialect != Dialect::responses || state_ == nullptr)
        co_return co_await run(std::move(request), std::move(admitted));
    ApiResult<std::optional<ResponseTurn>> turn = co_await state_->begin(&request, &admitted.body);
    if (!turn) {
        parts_.calls.metrics.on_answer({}, turn.error().status);
        co_return error_response(dialect, turn.error());
    }
    admitted.turn = *std::move(turn);
    co_return co_await run(std::move(request), std::move(admitted));
}

io::Task<http::Response> DialectCalls::serve_body(
    http::Request request, std::string body, Dialect dialect
) {
    Admitted admitted{.dialect = dialect, .goes_on = true, .body = std::move(body)};
    return run(std::move(request), std::move(admitted));
}

io::Task<http::Response> DialectCalls::serve_embeddings(http::Request request, Dialect dialect) {
    ApiResult<std::string> body =
        co_await read_call_body(&request, parts_.options.request_body_max);
    if (!body) co_return error_response(dialect, body.error());
    Admitted admitted{.dialect = dialect, .embeddings = true, .body = *std::move(body)};
    co_return co_await run(std::move(request), std::move(admitted));
}

io::Task<http::Response> DialectCalls::serve_embeddings_body(
    http::Request request, std::string body
) {
    Admitted admitted{.embeddings = true, .goes_on = true, .body = std::move(body)};
    return run(std::move(request), std::move(admitted));
}

io::Task<http::Response> DialectCalls::run(http::Request request, Admitted admitted) {
    const Counted here(parts_.calls.requests_open);
    const http::ClientWatch client = request.client;
    const ApiResult<void> fine = co_await admit(&request, &admitted);
    const Dialect dialect = admitted.dialect;
    const bool embeddings = admitted.embeddings;
    std::optional<std::string> next = std::move(admitted.next);
    std::optional<ResponseTurn> turn;
    if (next) {
        request.deadline = admitted.deadline;  // one for all its models
        turn = admitted.turn;
    }
    http::Response response;
    if (fine && admitted.ticket && admitted.ticket->hit) {
        co_return co_await replay(std::move(admitted));
    } else if (fine) {
        response = co_await answer(std::move(admitted), client);
    } else {
        // Refused before a model was known to exist: no series for what clients invent.
        parts_.calls.metrics.on_answer({}, fine.error().status);
        response = error_response(dialect, fine.error());
    }
    if (!next || !falls_back(response.status)) co_return response;
    parts_.calls.metrics.on_fallback();
    Admitted again{
        .dialect = dialect,
        .embeddings = embeddings,
        .goes_on = true,
        .body = *std::move(next),
        .turn = std::move(turn)
    };
    co_return co_await run(std::move(request), std::move(again));
}

io::Task<ApiResult<void>> DialectCalls::admit(http::Request* request, Admitted* admitted) {
    if (ApiResult<void> room =
            check_room(parts_.calls, parts_.options, parts_.routes_known, admitted->goes_on);
        !room)
        co_return room;
    if (const BatchCallPtr line = batch_call_of(*request)) {
        admitted->key = line->key;
    } else {
        const Result<KeyPtr> key =
            co_await parts_.authenticator.authenticate(Authenticator::shown(request->headers));
        if (!key) co_return refuse(told(key.error()));
        admitted->key = *key;
    }
    const bool is_line = batch_call_of(*request) != nullptr;
    if (ApiResult<void> set = take_settings(request->headers, *admitted->key, is_line); !set)
        co_return set;
    const ApiResult<CallLimits> limits = read_call_limits(request->headers, parts_.options);
    if (!limits) co_return refuse(limits.error());
    admitted->limits = *limits;
    admitted->deadline = io::earlier(request->deadline, io::Deadline::after(limits->timeout));
    admitted->drops = limits->drops;
    for (const char* name : {"anthropic-version", "anthropic-beta"})
        if (const auto value = request->headers.find(name)) admitted->passed.set(name, *value);
    if (ApiResult<void> read = read_wishes(*admitted); !read) co_return read;
    if (ApiResult<void> read = read_document(*admitted); !read) co_return read;
    std::string named = admitted->wishes.session;
    if (const Json* cache = dialects::find(admitted->request.openai, "prompt_cache_key"))
        if (named.empty() && cache->if_string() != nullptr) named = *cache->if_string();
    const ApiResult<std::string> session = session_of(request->headers, named);
    if (!session) co_return refuse(session.error());
    admitted->prompt = salt_prompt(
        *admitted->key, admitted->request.model,
        admitted->embeddings ? RenderedPrompt() : render_prompt(admitted->request), *session
    );
    admitted->started = parts_.calls.clock.monotonic();
    if (parts_.held.sleeps(admitted->request.model)) {
        ApiResult<void> ready = co_await parts_.held.until_ready(
            {.key = admitted->key.get(),
             .model = admitted->request.model,
             .bytes = admitted->body.size(),
             .span = admitted->limits.wait,
             .deadline = admitted->deadline,
             .client = request->client}
        );
        if (!ready) co_return ready;
    }
    admitted->trace = trace_of(request->headers, parts_.options.log_one_in, parts_.random);
    co_return co_await reserve(request, admitted);
}

ApiResult<void> DialectCalls::look_for_kept(const http::Request& request, Admitted& admitted) {
    const std::string asked = std::move(admitted.asked);
    ApiResult<std::optional<CallCache::Ticket>> ticket = parts_.cache.look(
        {.request = &request,
         .key = &admitted.key,
         .limits = &admitted.limits,
         .preferences = admitted.wishes.provider ? &*admitted.wishes.provider : nullptr,
         .path = request.path,
         .body = asked.empty() ? admitted.body : asked,
         .model = admitted.request.model,
         .deterministic = admitted.embeddings,
         .always_new = admitted.turn.has_value()}
    );
    if (!ticket) return std::unexpected(std::move(ticket.error()));
    admitted.ticket = *std::move(ticket);
    return {};
}

io::Task<http::Response> DialectCalls::replay(Admitted admitted) {
    const bool streamed = admitted.ticket->hit->streamed;
    admitted.ticket->trace_id = std::move(admitted.trace.id);
    http::Response response =
        co_await parts_.cache.replay(*std::move(admitted.ticket), admitted.key);
    if (streamed && response.status == 200)
        response.headers.set(
            "Content-Type", std::string(dialects::stream_content_type(admitted.dialect))
        );
    co_return response;
}

io::Task<ApiResult<void>> DialectCalls::reserve(const http::Request* request, Admitted* admitted) {
    const routing::EndpointPool& endpoints = parts_.calls.endpoints;
    const std::string& model = admitted->request.model;
    if (!endpoints.has_model(model)) co_return refuse(no_such_model(model));
    const bool embeds =
        endpoints.has_model(model, "openai") || endpoints.has_model(model, "ollama");
    if (admitted->embeddings && !embeds)
        co_return refuse(routing::invalid_request(
            "no engine of '" + model + "' makes embeddings", "model", "unsupported_model"
        ));
    if (ApiResult<void> looked = look_for_kept(*request, *admitted); !looked) co_return looked;
    if (admitted->ticket && admitted->ticket->hit) co_return ApiResult<void>();
    const Time started_at = parts_.calls.clock.now();
    if (!parts_.calls.departed.empty()) {
        ApiResult<void> fresh = parts_.calls.departed.check(
            {.key_id = admitted->key->key_id,
             .model = model,
             .prompt = admitted->prompt.digest,
             .prompt_text_bytes = admitted->text_bytes,
             .output_bound = admitted->bound.output},
            request->headers, started_at
        );
        if (!fresh) co_return fresh;
    }
    const routing::EndpointLists lists(*admitted->key);
    ApiResult<routing::Hold> hold = co_await hold_for_call(
        &parts_.calls, {.key = admitted->key.get(),
                        .endpoints = query_of(*admitted, lists),
                        .bound = admitted->bound,
                        .admitted_at = started_at,
                        .deadline = started_at + parts_.options.deadline_max}
    );
    if (!hold) co_return refuse(std::move(hold.error()));
    std::unique_ptr<telemetry::Span> span = parts_.calls.spans.begin(admitted->trace);
    Call::Admission admission{
        .id = call_id_for(*request, parts_.ids, started_at),
        .key = admitted->key,
        .model = model,
        .streamed = admitted->request.stream,
        .embeddings = admitted->embeddings,
        .bound = admitted->bound,
        .prompt_text_bytes = admitted->text_bytes,
        .hold = *std::move(hold),
        .prompt_digest = admitted->prompt.digest,
        .recorder = admitted->ticket ? std::move(admitted->ticket->recorder) : nullptr,
        .cache_word = admitted->ticket ? admitted->ticket->word : std::string_view(),
        .started_at = started_at,
        .started = admitted->started,
        .trace_id = std::move(admitted->trace.id),
        .logged = admitted->trace.sampled,
        .undelivered = admitted->limits.undelivered,
        .explained = explains(admitted->limits, parts_.random),
    };
    admission.span = std::move(span);
    take_context(*request, admission);
    admitted->call = std::make_unique<Call>(parts_.calls, std::move(admission));
    co_return ApiResult<void>();
}

// ---- answer ----

io::Task<http::Response> DialectCalls::answer(Admitted admitted, http::ClientWatch client) {
    parts_.attempts.on_call(admitted.request.model);
    return ask_and_answer(std::move(admitted), client);
}

io::Task<http::Response> DialectCalls::go_on(Handed handed, http::ClientWatch client) {
    Admitted admitted{
        .dialect = Dialect::chat,
        .goes_on = true,
        .drops = handed.limits.drops,
        .body = std::move(handed.body),
        .limits = handed.limits,
        .key = std::move(handed.key),
        .deadline = handed.deadline,
        .trace = std::move(handed.trace),
        .prompt = std::move(handed.prompt),
        .call = std::move(handed.call),
        .tried = std::move(handed.tried),
        .attempts = handed.attempts,
        .last = std::move(handed.last),
    };
    ApiResult<void> read = read_wishes(admitted);
    if (read) read = read_document(admitted);
    // What cannot be said in another dialect: the engines that spoke its own have the last word.
    if (!read) admitted.attempts = ChatCompletions::kAttemptsMax;
    admitted.asked = {};
    admitted.bound = handed.bound;
    return ask_and_answer(std::move(admitted), client);
}

// What a client is told whose request waits here when this process ends; nobody else is told.
http::Response DialectCalls::left(Admitted& admitted) {
    constexpr int kNobodyWaits = 499;
    Call& call = *admitted.call;
    if (call.left() == EndReason::gateway_stopped)
        return end_with(admitted, gateway_stopped(), EndReason::gateway_stopped);
    call.finish(EndReason::client_gone, kNobodyWaits);
    return http::Response::empty(kNobodyWaits);
}

io::Task<http::Response> DialectCalls::ask_and_answer(Admitted admitted, http::ClientWatch client) {
    std::optional<Opened> opened = co_await client.unless_gone(open(&admitted));
    if (!opened) co_return left(admitted);
    if (!*opened) {
        const ApiError& error = (*opened).error();
        const EndReason reason = error.status == 504   ? EndReason::timeout
                                 : error.status == 400 ? EndReason::refused
                                                       : EndReason::upstream_error;
        co_return end_with(admitted, error, reason);
    }
    OpenedStream answer = **std::move(opened);
    http::ResponseStream& upstream = answer.stream;
    if (answer.streams) co_return answer_stream(std::move(admitted), std::move(answer), client);
    auto body = upstream.status() == 200 ? answer_whole(&admitted, std::move(upstream))
                                         : pass_refusal(&admitted, std::move(upstream));
    std::optional<http::Response> response = co_await client.unless_gone(std::move(body));
    if (response) co_return *std::move(response);
    co_return left(admitted);
}

}  // namespace penstock::gateway
