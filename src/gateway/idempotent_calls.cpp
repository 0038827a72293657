// SPDX-License-Identifier: Apache-2.0
#include "gateway/idempotent_calls.h"

#include <memory>
#include <utility>

#include "gateway/call_input.h"
#include "gateway/dialect_calls.h"
#include "gateway/idempotent_call.h"

namespace penstock::gateway {
namespace {

using routing::ApiError;
using Entry = IdempotencyTable::Entry;
using Ruling = IdempotencyTable::Ruling;

constexpr const char* kHeader = "Idempotency-Key";
constexpr Duration kRetryAfter = 1s;
constexpr std::size_t kHashedAtOnceMax = 64UL * 1024;  // larger bodies by the pool

std::unexpected<ApiError> refuse(ApiError error) { return std::unexpected(std::move(error)); }

ApiError conflict(std::string message, std::string code) {
    return {
        .status = 409,
        .message = std::move(message),
        .type = "invalid_request_error",
        .param = kHeader,
        .code = std::move(code)
    };
}

ApiError still_running(const Entry& entry) {
    ApiError error = conflict(
        "the call " + to_string(entry.call_id) +
            " with this key is still running: send the same request again in a moment to get its "
            "answer",
        "idempotency_key_in_use"
    );
    error.retry_after = kRetryAfter;
    return error;
}

std::string_view why_not_kept(KeptEnd end) {
    switch (end) {
        case KeptEnd::answered:
            return "it can no longer be read";
        case KeptEnd::too_large:
            return "it was larger than the 1 MiB that are kept";
        case KeptEnd::cut:
            return "it did not come to its end";
        case KeptEnd::joined:
            return "a second engine went on with it";
        case KeptEnd::crashed:
            return "the gateway was restarted in the middle of it";
        case KeptEnd::evicted:
            return "it has made room for newer ones";
        case KeptEnd::unwritten:
            return "the disk did not take it";
        case KeptEnd::crowded:
            return "too many were being kept at once";
    }
    return "it is not there";
}

ApiError not_kept(const Entry& entry, KeptEnd why) {
    const std::string id = to_string(entry.call_id);
    ApiError error = conflict(
        "the call " + id + " with this key has ended and was charged " + exact_text(entry.charge) +
            " yuan (GET /v1/generation?id=" + id + "), and its answer cannot be given again: " +
            std::string(why_not_kept(why)) + "; use a new key for a new call",
        "idempotency_key_charged"
    );
    error.final = true;
    return error;
}

ApiError used_for_another(const Entry& entry) {
    ApiError error = conflict(
        "this key was used for another request, the call " + to_string(entry.call_id) +
            ": send that request unchanged, or choose a new key",
        "idempotency_key_reused"
    );
    error.status = 422;
    error.final = true;
    return error;
}

// One namespace for each API key; no part can be read as another's end.
Sha256 token_of(const ResolvedKey& key, std::string_view name) {
    return sha256((to_string(key.key_id) + '\n').append(name));
}

Sha256 fingerprint_of(const http::Request* request) {
    return sha256((request->path + '\n').append(request->body));
}

io::Task<void> write_kept(KeptAnswer answer, http::BodyWriter writer) {
    static_cast<void>(co_await writer.write(answer.body));
}

io::Task<void> write_stream(
    http::StreamBody body, IdempotentCallPtr call, http::BodyWriter writer
) {
    co_await body(writer);
    call->close();
}

}  // namespace

struct IdempotentCalls::Begun {
    IdempotentCallPtr call;               // null: `again` is the answer
    std::optional<http::Response> again;  // kept
};

IdempotentCalls::IdempotentCalls(Parts parts)
    : parts_(parts),
      keys_(parts.registry.gauge(
          "penstock_gateway_idempotency_keys", "Idempotency-Keys that are in use or kept."
      )),
      bytes_(parts.registry.gauge(
          "penstock_gateway_idempotency_bytes", "Size of the record of them and their answers."
      )),
      keys_evicted_(parts.registry.counter(
          "penstock_gateway_idempotency_evictions_total",
          "What was forgotten before its time, to make room.", {{"what", "key"}}
      )),
      answers_evicted_(parts.registry.counter(
          "penstock_gateway_idempotency_evictions_total",
          "What was forgotten before its time, to make room.", {{"what", "answer"}}
      )) {}

http::Handler IdempotentCalls::before(dialects::Dialect dialect, http::Handler handler) {
    return
        [this, dialect,
         handler = std::make_shared<http::Handler>(std::move(handler))](http::Request&& request) {
            if (!request.headers.contains(kHeader)) return (*handler)(std::move(request));
            return serve(std::move(request), dialect, handler.get());
        };
}

io::Task<http::Response> IdempotentCalls::serve(
    http::Request request, dialects::Dialect dialect, const http::Handler* handler
) {
    ApiResult<Begun> begun = co_await begin(&request);
    if (!begun) {
        parts_.calls.metrics.on_answer({}, begun.error().status);
        co_return error_response(dialect, begun.error());
    }
    if (begun->again) {
        parts_.calls.metrics.on_answer({}, begun->again->status);
        co_return *std::move(begun->again);
    }
    const IdempotentCallPtr call = begun->call;
    request.context = call;
    http::Response response = co_await (*handler)(std::move(request));
    call->answer_with(response);
    if (auto* body = std::get_if<http::StreamBody>(&response.body))
        response.body =
            http::StreamBody([inner = std::move(*body), call](http::BodyWriter writer) mutable {
                return write_stream(std::move(inner), call, writer);
            });
    co_return response;
}

io::Task<ApiResult<IdempotentCalls::Begun>> IdempotentCalls::begin(http::Request* request) {
    const Result<KeyPtr> key =
        co_await parts_.authenticator.authenticate(Authenticator::shown(request->headers));
    if (!key) co_return refuse(told(key.error()));
    const std::string name(request->headers.get(kHeader));
    if (name.empty() || name.size() > kKeyBytesMax)
        co_return refuse(routing::invalid_request("expected 1 to 255 bytes", kHeader));
    ApiResult<std::string> body = co_await read_call_body(request, parts_.options.request_body_max);
    if (!body) co_return refuse(std::move(body.error()));
    request->body = *std::move(body);
    Sha256 fingerprint{};
    if (request->body.size() <= kHashedAtOnceMax)
        fingerprint = fingerprint_of(request);
    else
        fingerprint = co_await parts_.pool.run([request] { return fingerprint_of(request); });
    const Time now = parts_.calls.clock.now();
    const IdempotencyLog::Use use{
        token_of(**key, name), fingerprint, parts_.ids.next<RequestId>(now)
    };
    const Result<IdempotencyTable::Judgement> judged = parts_.log.begin(use, now);
    if (!judged) {
        count("unavailable");
        co_return refuse(busy(judged.error().message + "; try again soon"));
    }
    switch (judged->ruling) {
        case Ruling::begins:
            count("begun");
            co_return Begun{
                std::make_shared<IdempotentCall>(
                    IdempotentCall::Parts{parts_.log, parts_.calls.clock, parts_.calls.answer_room},
                    use
                ),
                {}
            };
        case Ruling::runs:
            count("running");
            co_return refuse(still_running(judged->entry));
        case Ruling::other_request:
            count("other_request");
            co_return refuse(used_for_another(judged->entry));
        case Ruling::full:
            count("full");
            co_return refuse(
                busy("the gateway keeps as many Idempotency-Keys as it may; try again later")
            );
        case Ruling::ended:
            break;
    }
    ApiResult<http::Response> again = co_await replay(judged->entry);
    count(again ? "replayed" : "not_kept");
    if (!again) co_return refuse(std::move(again.error()));
    co_return Begun{nullptr, *std::move(again)};
}

io::Task<ApiResult<http::Response>> IdempotentCalls::replay(Entry entry) {
    if (*entry.end != KeptEnd::answered) co_return refuse(not_kept(entry, *entry.end));
    std::optional<KeptAnswer> kept = parts_.log.read_now(entry.place);
    if (!kept) {
        Result<KeptAnswer> read = co_await parts_.pool.run([this, place = entry.place] {
            return parts_.log.read(place);
        });
        if (read) kept = *std::move(read);
    }
    if (!kept) co_return refuse(not_kept(entry, KeptEnd::answered));
    http::Response response{.status = 200, .headers = {}, .body = {}};
    // The call that they tell of was charged, this one is not.
    for (const auto& [name, value] : kept->headers)
        response.headers.add(name, name == "x-penstock-cost" ? "0" : value);
    response.headers.set("Idempotency-Replayed", "true");
    if (kept->streamed)
        response.body =
            http::StreamBody([answer = *std::move(kept)](http::BodyWriter writer) mutable {
                return write_kept(std::move(answer), writer);
            });
    else
        response.body = std::move(kept->body);
    co_return response;
}

void IdempotentCalls::count(std::string_view outcome) {
    parts_.registry
        .counter(
            "penstock_gateway_idempotency_total", "Requests with an Idempotency-Key.",
            {{"outcome", outcome}}
        )
        .add();
}

void IdempotentCalls::refresh_gauges() {
    parts_.log.tidy(parts_.calls.clock.now());
    keys_.set(static_cast<double>(parts_.log.keys()));
    bytes_.set(static_cast<double>(parts_.log.bytes()));
    keys_evicted_.add(parts_.log.keys_evicted() - keys_evicted_.value());
    answers_evicted_.add(parts_.log.answers_evicted() - answers_evicted_.value());
}

}  // namespace penstock::gateway
