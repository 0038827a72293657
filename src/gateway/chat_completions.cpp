// SPDX-License-Identifier: Apache-2.0
#include "gateway/chat_completions.h"

#include <algorithm>

#include "gateway/call_hold.h"
#include "gateway/call_input.h"
#include "gateway/chat_stream.h"
#include "gateway/departed_calls.h"
#include "gateway/dialect_calls.h"
#include "gateway/span_exporter.h"
#include "gateway/told_cost.h"

namespace penstock::gateway {
namespace {

using routing::ApiError;

constexpr int kNobodyWaits = 499;
std::unexpected<ApiError> refuse(ApiError error) { return std::unexpected(std::move(error)); }

io::Task<http::Response> told_at_once(http::Response response) { co_return response; }

}  // namespace

io::Task<http::Response> ChatCompletions::serve(http::Request&& request) {
    return serve_read(std::move(request), std::nullopt);
}

io::Task<http::Response> ChatCompletions::serve_body(http::Request request, std::string body) {
    return serve_read(std::move(request), std::move(body));
}

io::Task<http::Response> ChatCompletions::serve_read(
    http::Request request, std::optional<std::string> body
) {
    const Counted here(parts_.calls.requests_open);
    while (true) {
        Admitted admitted;
        // Once it is admitted, `body` is the request for the next of its models.
        const ApiResult<void> taken =
            co_await admit(&request, std::exchange(body, std::nullopt), &body, &admitted);
        http::Response response = co_await answer_admitted(taken, request, admitted, body);
        if (!body || !falls_back(response.status)) co_return response;
        parts_.calls.metrics.on_fallback();
    }
}

io::Task<http::Response> ChatCompletions::answer_admitted(
    const ApiResult<void>& taken, http::Request& request, Admitted& admitted,
    std::optional<std::string>& next
) {
    if (!taken) {
        // Refused before a model was known to exist: no series for what clients invent.
        parts_.calls.metrics.on_answer({}, taken.error().status);
        return told_at_once(error_response(taken.error()));
    }
    const bool hit = admitted.ticket && admitted.ticket->hit;
    if (admitted.converts || hit || admitted.waits) next.reset();
    if (admitted.converts)
        return converted_->serve_body(
            std::move(request), std::move(admitted.body), dialects::Dialect::chat
        );
    if (hit) {
        admitted.ticket->trace_id = std::move(admitted.trace.id);
        return parts_.cache.replay(*std::move(admitted.ticket), admitted.key);
    }
    if (admitted.waits) return told_at_once(answer_held(std::move(request), std::move(admitted)));
    const http::ClientWatch client = request.client;
    if (!next) request = {};
    return answer(&admitted, client);
}

// ---- admission ----

namespace {

RenderedPrompt take_prompt(routing::ChatRequest& chat) {
    return {std::move(chat.prompt_chain), chat.tools_digest, chat.prompt_digest};
}

}  // namespace

io::Task<ApiResult<void>> ChatCompletions::admit(
    http::Request* request, std::optional<std::string> read, std::optional<std::string>* next,
    Admitted* out
) {
    if (ApiResult<void> room =
            check_room(parts_.calls, parts_.options, parts_.routes_known, read.has_value());
        !room)
        co_return refuse(std::move(room.error()));
    const Time started_at = parts_.calls.clock.now();
    const Duration started = parts_.calls.clock.monotonic();
    std::string shown = Authenticator::shown(request->headers);
    const BatchCallPtr line = batch_call_of(*request);
    std::optional<Result<KeyPtr>> key =
        line ? Result<KeyPtr>(line->key) : parts_.authenticator.authenticate_now(shown);
    if (!key) key = co_await parts_.authenticator.authenticate(std::move(shown));
    if (!*key) co_return refuse(told(key->error()));
    if (ApiResult<void> set = take_settings(request->headers, ***key, line != nullptr); !set)
        co_return refuse(std::move(set.error()));
    const ApiResult<CallLimits> limits = read_call_limits(request->headers, parts_.options);
    if (!limits) co_return refuse(limits.error());
    Admitted& admitted = *out;
    admitted.deadline = io::earlier(request->deadline, io::Deadline::after(limits->timeout));
    if (!read) read = call_body_now(*request);
    if (!read) {
        ApiResult<std::string> body =
            co_await read_call_body(request, parts_.options.request_body_max);
        if (!body) co_return refuse(std::move(body.error()));
        read = *std::move(body);
    }
    admitted.body = *std::move(read);
    Result<routing::ChatRequest> chat = routing::scan_chat_request(admitted.body);
    if (!chat) co_return refuse(told(chat.error()));
    admitted.chat = *std::move(chat);
    const ApiResult<std::string> session = take_wishes(*request, admitted, *next);
    if (!session) co_return refuse(session.error());
    admitted.limits = *limits;
    if (parts_.held.sleeps(admitted.chat.model)) {
        admitted.key = **key;
        admitted.waits = limits->keep_alive && admitted.chat.stream;
        if (admitted.waits) co_return ApiResult<void>();
        ApiResult<void> ready = co_await parts_.held.until_ready(wait_of(admitted, *request));
        if (!ready) co_return refuse(std::move(ready.error()));
    }
    admitted.converts = must_convert(admitted, ***key);
    if (admitted.converts) co_return ApiResult<void>();
    admitted.prompt =
        salt_prompt(***key, admitted.chat.model, take_prompt(admitted.chat), *session);
    admitted.trace = trace_of(request->headers, parts_.options.log_one_in, parts_.random);
    if (!parts_.calls.endpoints.has_model(admitted.chat.model))
        co_return refuse(no_such_model(admitted.chat.model));
    admitted.key = **key;
    if (ApiResult<void> looked = look_for_kept(*request, admitted); !looked)
        co_return refuse(std::move(looked.error()));
    if (admitted.ticket && admitted.ticket->hit) co_return ApiResult<void>();
    const routing::EndpointLists lists(***key);
    HoldRequest wanted{
        .key = key->value().get(),
        .endpoints = query_of(admitted, lists),
        .bound = routing::token_bound(admitted.chat, parts_.options.output_tokens_default),
        .admitted_at = started_at,
        .deadline = parts_.calls.clock.now() + parts_.options.deadline_max
    };
    // Who goes on with the call, or with its answer, may speak another protocol.
    if (parts_.calls.endpoints.has_model_beside(admitted.chat.model, "openai"))
        wanted.endpoints.protocol = {};
    std::optional<ApiResult<routing::Hold>> hold = hold_for_call_now(parts_.calls, wanted);
    if (!hold) hold = co_await hold_for_call(&parts_.calls, wanted);
    if (!*hold) co_return refuse(std::move(hold->error()));
    co_return begin_call(
        *request, admitted,
        {.key = **key, .hold = **std::move(hold), .started_at = started_at, .started = started}
    );
}

ApiResult<void> ChatCompletions::look_for_kept(const http::Request& request, Admitted& admitted) {
    ApiResult<std::optional<CallCache::Ticket>> ticket = parts_.cache.look(
        {.request = &request,
         .key = &admitted.key,
         .limits = &admitted.limits,
         .preferences = admitted.chat.wishes.provider ? &*admitted.chat.wishes.provider : nullptr,
         .path = "/v1/chat/completions",
         .body = admitted.body,
         .model = admitted.chat.model}
    );
    if (!ticket) return refuse(std::move(ticket.error()));
    admitted.ticket = *std::move(ticket);
    return {};
}

// What the request says to the gateway alone; answers the session it goes on with.
ApiResult<std::string> ChatCompletions::take_wishes(
    http::Request& request, const Admitted& admitted, std::optional<std::string>& next
) {
    const routing::RouteWishes& wishes = admitted.chat.wishes;
    if (!wishes.models.empty()) {
        next = next_request(admitted.body, wishes.models);
        request.deadline = admitted.deadline;  // one for all of them
    }
    return session_of(
        request.headers, wishes.session.empty() ? admitted.chat.prompt_cache_key : wishes.session
    );
}

bool ChatCompletions::must_convert(const Admitted& admitted, const ResolvedKey& key) const {
    const routing::EndpointPool& endpoints = parts_.calls.endpoints;
    const std::string& model = admitted.chat.model;
    if (!endpoints.has_model(model, "openai")) return endpoints.has_model(model);
    if (!admitted.chat.wishes.provider) return false;
    const routing::EndpointLists lists(key);
    routing::EndpointQuery query = query_of(admitted, lists);
    if (endpoints.has_allowed(query)) return false;
    query.protocol = {};
    return endpoints.has_allowed(query);
}

ApiResult<void> ChatCompletions::begin_call(
    const http::Request& request, Admitted& admitted, Call::Admission admission
) {
    const routing::TokenBound bound =
        routing::token_bound(admitted.chat, parts_.options.output_tokens_default);
    if (!parts_.calls.departed.empty()) {
        ApiResult<void> fresh = parts_.calls.departed.check(
            {.key_id = admission.key->key_id,
             .model = admitted.chat.model,
             .prompt = admitted.prompt.digest,
             .prompt_text_bytes = admitted.chat.prompt_text_bytes,
             .output_bound = bound.output},
            request.headers, admission.started_at
        );
        if (!fresh) return fresh;
    }
    admission.id = call_id_for(request, parts_.ids, admission.started_at);
    if (admitted.ticket) {
        admission.recorder = std::move(admitted.ticket->recorder);
        admission.cache_word = admitted.ticket->word;
    }
    admission.model = admitted.chat.model;
    admission.streamed = admitted.chat.stream;
    admission.bound = bound;
    admission.prompt_text_bytes = admitted.chat.prompt_text_bytes;
    admission.span = parts_.calls.spans.begin(admitted.trace);
    admission.trace_id = std::move(admitted.trace.id);
    admission.logged = admitted.trace.sampled;
    admission.explained = explains(admitted.limits, parts_.random);
    admission.prompt_digest = admitted.prompt.digest;
    admission.undelivered = admitted.limits.undelivered;
    take_context(request, admission);
    admitted.call = std::make_unique<Call>(parts_.calls, std::move(admission));
    return {};
}

routing::EndpointQuery ChatCompletions::query_of(
    const Admitted& admitted, const routing::EndpointLists& lists
) const {
    return {
        .model = admitted.chat.model,
        .protocol = "openai",
        .input_price_max = admitted.limits.input_price_max,
        .output_price_max = admitted.limits.output_price_max,
        .providers = lists.providers(),
        .sites = lists.sites(),
        .preferences = admitted.chat.wishes.provider ? &*admitted.chat.wishes.provider : nullptr,
        .prompt_tokens = routing::estimated_tokens(admitted.chat.prompt_text_bytes),
        .output_tokens_max =
            routing::token_bound(admitted.chat, parts_.options.output_tokens_default).output,
        .prompt = admitted.prompt.blocks,
        .session = admitted.prompt.session,
    };
}

// ---- dispatch ----

io::Task<http::Response> ChatCompletions::answer(Admitted* admitted, http::ClientWatch client) {
    parts_.attempts.on_call(admitted->chat.model);
    std::optional<Opened> last;
    std::optional<std::optional<http::Response>> response =
        co_await client.unless_gone(ask_and_answer(admitted, client, &last));
    if (response && *response) co_return **std::move(response);
    if (response) co_return co_await hand_over(admitted, std::move(last), client);
    Call& call = *admitted->call;
    if (call.left() == EndReason::gateway_stopped)
        co_return end_with(call, gateway_stopped(), EndReason::gateway_stopped);
    call.finish(EndReason::client_gone, kNobodyWaits);
    co_return http::Response::empty(kNobodyWaits);
}

io::Task<http::Response> ChatCompletions::hand_over(
    Admitted* admitted, std::optional<Opened> last, http::ClientWatch client
) {
    return converted_->go_on(
        {.call = std::move(admitted->call),
         .body = std::move(admitted->body),
         .limits = admitted->limits,
         .key = std::move(admitted->key),
         .deadline = admitted->deadline,
         .trace = std::move(admitted->trace),
         .prompt = std::move(admitted->prompt),
         .bound = routing::token_bound(admitted->chat, parts_.options.output_tokens_default),
         .tried = std::move(admitted->handed->tried),
         .attempts = admitted->handed->attempts,
         .last = std::move(last)},
        client
    );
}

// A streamed answer takes what was admitted with it.
io::Task<std::optional<http::Response>> ChatCompletions::ask_and_answer(
    Admitted* admitted, http::ClientWatch client, std::optional<Opened>* last
) {
    co_await open(admitted, last);
    if (admitted->handed) co_return std::nullopt;
    Opened& opened = **last;
    if (!opened) {
        const bool late = opened.error().status == 504;
        co_return end_with(
            *admitted->call, opened.error(), late ? EndReason::timeout : EndReason::upstream_error
        );
    }
    const http::ResponseStream& upstream = opened->stream;
    if (upstream.status() != 200)
        co_return co_await pass_refusal(admitted, std::move(opened->stream));
    if (opened->streams) co_return answer_stream(*admitted, *std::move(opened), client);
    co_return co_await answer_whole(admitted, std::move(opened->stream));
}

// ---- answers ----

http::Response ChatCompletions::end_with(Call& call, const ApiError& error, EndReason reason) {
    call.finish(reason, error.status);
    http::Response response = error_response(error);
    add_penstock_header(response, "call", to_string(call.id()));
    return response;
}

io::Task<http::Response> ChatCompletions::answer_whole(
    Admitted* admitted, http::ResponseStream upstream
) {
    Call& call = *admitted->call;
    Result<std::string> body =
        co_await upstream.read_all(parts_.options.response_body_max, admitted->deadline);
    if (!body) {
        const UnreadAnswer unread = why_unread(body.error(), parts_.options.response_body_max);
        co_return end_with(call, unread.error, unread.reason);
    }
    const Result<routing::ChatCompletion> answer = routing::read_chat_completion(*body);
    if (!answer || answer->error)
        co_return end_with(
            call, engine_failure(502, "the engine's answer is not a completion"),
            EndReason::upstream_error
        );
    if (answer->usage && call.meter().report(*answer->usage))
        call.meter().keep_words(
            std::string_view(*body).substr(answer->usage_text.begin, answer->usage_text.size())
        );
    call.on_first_token();
    if (routing::AnswerTexts* texts = call.answer_texts()) {
        texts->add_chat(*body);
        co_await call.count_texts();
    }
    // Only now: a client that left meanwhile has received nothing.
    call.meter().deliver_text(answer->text_bytes);
    if (!answer->model_value.empty())
        body = routing::replace_string(*body, answer->model_value, admitted->chat.model);
    body = with_cost(*std::move(body), call.measured(EndReason::done), call.cost_so_far());
    call.sent(*body);
    call.finish(EndReason::done, 200);
    http::Response response = http::Response::json(200, *std::move(body));
    describe_call(response, call, parts_.calls.budget);
    add_penstock_header(response, "cost", exact_text(call.charge()));
    co_return response;
}

// The engine refused. What is the client's own mistake is told in the engine's words; what is
// between the platform and the provider is not the client's to see.
io::Task<http::Response> ChatCompletions::pass_refusal(
    Admitted* admitted, http::ResponseStream upstream
) {
    Call& call = *admitted->call;
    const int status = upstream.status();
    const std::string provider = call.route().endpoint.provider;
    const auto retry_after = upstream.headers().find("Retry-After");
    const bool passes_retry_after = (status == 429 || shown_fault(status) == 503) && retry_after;
    const std::string retry_after_text(passes_retry_after ? *retry_after : std::string_view());
    http::Response response;
    if (is_own_mistake(status) || status == 429) {
        const Result<std::string> body =
            co_await upstream.read_all(kErrorBodyMax, admitted->deadline);
        const bool shaped = body && [&] {
            const auto read = routing::read_chat_completion(*body);
            return read && read->error;
        }();
        ApiError error = routing::invalid_request(
            "the engine of provider '" + provider + "' refused the request"
        );
        error.status = status;
        if (status == 429) error.type = "rate_limit_error";
        response = shaped ? http::Response::json(status, *body) : error_response(error);
        call.finish(EndReason::refused, status);
    } else {
        const int shown = shown_fault(status);
        const ApiError error = engine_failure(
            shown,
            "the engine of provider '" + provider + "' failed with status " + std::to_string(status)
        );
        call.finish(EndReason::upstream_error, shown);
        response = error_response(error);
    }
    if (passes_retry_after && http::valid_field_value(retry_after_text))
        response.headers.set("Retry-After", retry_after_text);
    describe_call(response, call, parts_.calls.budget);
    co_return response;
}

}  // namespace penstock::gateway
