// SPDX-License-Identifier: Apache-2.0
#include "dialects/embeddings.h"
#include "dialects/splice.h"
#include "dialects/usage.h"
#include "gateway/call_hold.h"
#include "gateway/call_input.h"
#include "gateway/dialect_calls.h"
#include "gateway/dialect_stream.h"
#include "gateway/told_cost.h"
#include "gateway/usage_report.h"

// The second half of a call: what the engine answered becomes what the client is told.
namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::Json;
using routing::ApiError;

std::unexpected<ApiError> refuse(ApiError error) { return std::unexpected(std::move(error)); }

std::string json_string(std::string_view text) { return dialects::print_json(Json(text)); }

std::int64_t seconds_of(Time time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// What the gateway's own count of an answer goes by; as routing::ChatCompletion::text_bytes where
// nothing is converted.
std::int64_t text_bytes_of(const dialects::Response& response) {
    std::size_t bytes = 0;
    for (const dialects::Choice& choice : response.choices)
        for (const dialects::Part& part : choice.parts) {
            if (part.kind == dialects::Part::Kind::tool_call) bytes += part.name.size();
            bytes += part.text.size();
        }
    return static_cast<std::int64_t>(bytes);
}

void add_texts(const dialects::Response& response, routing::AnswerTexts& texts) {
    using Side = routing::AnswerTexts::Side;
    for (const dialects::Choice& choice : response.choices)
        for (const dialects::Part& part : choice.parts) {
            if (part.kind == dialects::Part::Kind::tool_call)
                texts.add(choice.index, Side::visible, part.name);
            const bool reasons = part.kind == dialects::Part::Kind::reasoning;
            texts.add(choice.index, reasons ? Side::reasoning : Side::visible, part.text);
        }
}

// Embeddings have no output, whatever an engine says of it.
void report_embedded(routing::CallMeter& meter, dialects::Usage usage) {
    usage.tokens.output_visible = 0;
    usage.tokens.output_reasoning.reset();
    usage.tokens.output_audio.reset();
    report_usage(meter, usage);
}

// An answer that is given again has no header that names what it lost.
bool is_kept(
    const std::optional<CallCache::Ticket>& ticket, const std::vector<std::string>& dropped
) {
    return dropped.empty() || !ticket || ticket->word != "miss";
}

}  // namespace

http::Response DialectCalls::end_with(Admitted& admitted, const ApiError& error, EndReason reason) {
    admitted.call->finish(reason, error.status);
    http::Response response = error_response(admitted.dialect, error);
    add_penstock_header(response, "call", to_string(admitted.call->id()));
    return response;
}

void DialectCalls::describe(http::Response& response, const Admitted& admitted) const {
    describe_call(response, *admitted.call, parts_.calls.budget);
    add_penstock_header(response, "dropped", listed(admitted.dropped));
    if (admitted.dialect == Dialect::anthropic)
        response.headers.set("request-id", to_string(admitted.call->id()));
}

dialects::AnswerContext DialectCalls::context_of(const Admitted& admitted) const {
    return {
        .id = to_string(admitted.call->id()),
        .model = admitted.request.model,
        .created = seconds_of(admitted.call->started_at()),
        .include_usage = admitted.request.include_usage,
        .echo = admitted.echo,
    };
}

std::unique_ptr<StreamContinuation> DialectCalls::continuation_of(Admitted& admitted) {
    if (admitted.limits.stream.failure != StreamFailure::continue_) return nullptr;
    dialects::AnswerContext context = context_of(admitted);
    StreamContinuation::Options options{
        .client = admitted.dialect,
        .request = std::move(admitted.request),
        .body = std::move(admitted.body),
        .passed = admitted.passed,
        .trace = admitted.trace,
        .limits = admitted.limits,
        .wishes = admitted.wishes,
        .drops = admitted.drops,
        .context = std::move(context),
        .deadline = admitted.deadline,
    };
    return std::make_unique<StreamContinuation>(parts_.continuations, std::move(options));
}

http::Response DialectCalls::answer_stream(
    Admitted admitted, OpenedStream upstream, http::ClientWatch client
) {
    DialectStream::Options options{
        .engine = admitted.engine,
        .client = admitted.dialect,
        .context = context_of(admitted),
        .deadline = admitted.deadline,
        .opening = std::move(upstream.opening),
        .read_timeout = admitted.limits.stream.read_timeout,
        .is_kept = is_kept(admitted.ticket, admitted.dropped),
        .drops = admitted.drops,
    };
    if (admitted.turn)
        options.keep = [state = state_, turn = *admitted.turn](std::string answer) {
            return state->keep(&turn, std::move(answer));
        };
    http::Response response;
    describe(response, admitted);
    options.continuation = continuation_of(admitted);  // takes the request over
    describe_continuation(response, options.continuation.get());
    auto stream = std::make_unique<DialectStream>(
        std::move(admitted.call), std::move(upstream.stream), client, std::move(options)
    );
    http::Response body =
        http::Response::event_stream([stream = std::move(stream)](http::BodyWriter writer) mutable {
            return DialectStream::run(std::move(stream), writer);
        });
    body.headers.set("Content-Type", std::string(dialects::stream_content_type(admitted.dialect)));
    for (const http::Header& header : response.headers) body.headers.add(header.name, header.value);
    return body;
}

io::Task<http::Response> DialectCalls::answer_whole(
    Admitted* admitted, http::ResponseStream upstream
) {
    Call& call = *admitted->call;
    Result<std::string> body =
        co_await upstream.read_all(parts_.options.response_body_max, admitted->deadline);
    if (!body) {
        const UnreadAnswer unread = why_unread(body.error(), parts_.options.response_body_max);
        co_return end_with(*admitted, unread.error, unread.reason);
    }
    ApiResult<WholeAnswer> answer =
        admitted->embeddings ? read_embeddings(*admitted, *body) : read_answer(*admitted, *body);
    if (!answer) {
        const bool unsayable = answer.error().code == "unsupported_field";
        co_return end_with(
            *admitted, answer.error(), unsayable ? EndReason::refused : EndReason::upstream_error
        );
    }
    if (admitted->turn)
        if (const ApiResult<void> kept = co_await state_->keep(&*admitted->turn, answer->body);
            !kept)
            // The engine did what it was asked to: that the answer is lost is not its fault.
            co_return end_with(*admitted, kept.error(), EndReason::refused);
    call.on_first_token();
    if (call.answer_texts() != nullptr) co_await call.count_texts();
    // Only now: a client that left meanwhile has received nothing.
    call.meter().deliver_text(answer->text_bytes);
    tell_use(*admitted, *answer);
    if (is_kept(admitted->ticket, admitted->dropped)) call.sent(answer->body);
    call.finish(EndReason::done, 200);
    http::Response response = http::Response::json(200, answer->body);
    describe(response, *admitted);
    add_penstock_header(response, "cost", exact_text(call.charge()));
    co_return response;
}

// Of OpenAI's dialects, what it costs; converted, the gateway's count where the engine has none.
void DialectCalls::tell_use(const Admitted& admitted, WholeAnswer& answer) {
    const Call& call = *admitted.call;
    if (answer.counted)
        answer.body = with_own_usage(
            admitted.dialect, std::move(answer.body), call.measured(EndReason::done)
        );
    if (admitted.dialect == Dialect::chat || admitted.dialect == Dialect::responses)
        answer.body = with_cost(std::move(answer.body), call.cost_so_far());
}

ApiResult<DialectCalls::WholeAnswer> DialectCalls::read_answer(
    Admitted& admitted, const std::string& body
) {
    Call& call = *admitted.call;
    Result<Json> document = dialects::parse_json(body, dialects::JsonFrom::engine);
    if (!document) return refuse(engine_failure(502, "the engine's answer is not JSON"));
    if (const auto error = dialects::read_error(admitted.engine, 502, *document))
        return refuse(engine_failure(502, "the engine failed: " + error->message));
    Result<dialects::Response> response = dialects::read_response(
        admitted.engine, *std::move(document), "call_" + to_string(call.id()) + "_"
    );
    if (!response) return refuse(engine_failure(502, "the engine's answer is not a completion"));
    if (response->usage) report_usage(call.meter(), *response->usage);
    WholeAnswer answer{.body = {}, .text_bytes = text_bytes_of(*response)};
    if (routing::AnswerTexts* texts = call.answer_texts()) add_texts(*response, *texts);
    if (!admitted.converts()) {
        answer.body = dialects::with_member(body, "model", json_string(admitted.request.model));
        return answer;
    }
    dialects::Written written =
        dialects::write_response(*response, admitted.dialect, context_of(admitted));
    if (!written.dropped.empty() && !admitted.drops) {
        ApiError error = routing::invalid_request(
            dialects::answer_refusal(written.dropped, admitted.dialect), {}, "unsupported_field"
        );
        error.final = true;
        return refuse(std::move(error));
    }
    for (const std::vector<std::string>* names : {&written.dropped, &written.beside})
        admitted.dropped.insert(admitted.dropped.end(), names->begin(), names->end());
    answer.body = dialects::print_json(written.body);
    answer.counted = !response->usage;
    return answer;
}

ApiResult<DialectCalls::WholeAnswer> DialectCalls::read_embeddings(
    Admitted& admitted, const std::string& body
) {
    const Result<Json> document = dialects::parse_json(body, dialects::JsonFrom::engine);
    const bool ollama = admitted.engine == Dialect::ollama;
    if (!document || document->find(ollama ? "embeddings" : "data") == nullptr)
        return refuse(engine_failure(502, "the engine's answer has no embeddings"));
    if (admitted.converts()) return convert_embeddings(admitted, *document);
    dialects::Usage usage;
    if (ollama)
        usage = dialects::read_ollama_usage(*document);
    else if (const Json* written = document->find("usage"))
        usage = dialects::read_chat_usage(*written);
    report_embedded(admitted.call->meter(), std::move(usage));
    if (document->find("model") == nullptr) return WholeAnswer{.body = body};
    return WholeAnswer{
        .body = dialects::with_member(body, "model", json_string(admitted.request.model))
    };
}

ApiResult<DialectCalls::WholeAnswer> DialectCalls::convert_embeddings(
    Admitted& admitted, Json document
) {
    const Result<Json> asked = dialects::parse_json(admitted.body);
    if (!asked) return refuse(told(asked.error()));
    const Result<dialects::EmbeddingsRequest> request =
        dialects::read_embeddings_request(admitted.dialect, *asked);
    if (!request) return refuse(told(request.error()));
    const Result<dialects::Embeddings> read =
        dialects::read_embeddings(admitted.engine, std::move(document));
    if (!read) return refuse(engine_failure(502, "the engine's answer has no embeddings"));
    report_embedded(admitted.call->meter(), read->usage.value_or(dialects::Usage()));
    return WholeAnswer{
        .body =
            dialects::print_json(dialects::write_embeddings(*read, *request, admitted.request.model)
            )
    };
}

// The engine refused. What is the client's own mistake is told in the engine's words; what is
// between the platform and the provider is not the client's to see.
io::Task<http::Response> DialectCalls::pass_refusal(
    Admitted* admitted, http::ResponseStream upstream
) {
    Call& call = *admitted->call;
    const int status = upstream.status();
    const std::string provider = call.route().endpoint.provider;
    const std::string retry_after(upstream.headers().get("Retry-After"));
    http::Response response;
    if (is_own_mistake(status) || status == 429) {
        const Result<std::string> body =
            co_await upstream.read_all(ChatCompletions::kErrorBodyMax, admitted->deadline);
        const Result<Json> document =
            dialects::parse_json(body ? *body : "", dialects::JsonFrom::engine);
        const std::optional<ApiError> read =
            document ? dialects::read_error(admitted->engine, status, *document) : std::nullopt;
        ApiError usual = routing::invalid_request(
            "the engine of provider '" + provider + "' refused the request"
        );
        usual.status = status;
        if (status == 429) usual.type = "rate_limit_error";
        response = read && !admitted->converts()
                       ? http::Response::json(status, body.value_or(std::string()))
                       : error_response(admitted->dialect, read.value_or(usual));
        call.finish(EndReason::refused, status);
    } else {
        const int shown = shown_fault(status);
        response = error_response(
            admitted->dialect, engine_failure(
                                   shown, "the engine of provider '" + provider +
                                              "' failed with status " + std::to_string(status)
                               )
        );
        call.finish(EndReason::upstream_error, shown);
    }
    const bool waits = status == 429 || shown_fault(status) == 503;
    if (waits && !retry_after.empty() && http::valid_field_value(retry_after))
        response.headers.set("Retry-After", retry_after);
    describe(response, *admitted);
    co_return response;
}

}  // namespace penstock::gateway
