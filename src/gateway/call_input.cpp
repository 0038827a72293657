// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_input.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace penstock::gateway {
namespace {

using routing::ApiError;

constexpr Duration kBusyRetryAfter = 1s;
constexpr Duration kKeepAliveMin = 100ms;
constexpr std::size_t kListedBytesMax = 1024;

ApiResult<std::optional<Price>> read_price(const http::Headers& headers, std::string_view name) {
    const auto text = headers.find(name);
    if (!text) return std::optional<Price>();
    const Result<Price> price = parse_price(*text);
    if (!price)
        return std::unexpected(routing::invalid_request(price.error().message, std::string(name)));
    return *price;
}

ApiResult<std::optional<Duration>> read_span(const http::Headers& headers, std::string_view name) {
    const auto text = headers.find(name);
    if (!text) return std::optional<Duration>();
    const Result<Duration> span = parse_duration(*text);
    if (!span)
        return std::unexpected(routing::invalid_request(span.error().message, std::string(name)));
    return *span;
}

// One of two words; the first one where it says nothing.
ApiResult<bool> read_word(
    const http::Headers& headers, std::string_view name, std::string_view no, std::string_view yes
) {
    const std::string_view word = headers.get(name);
    if (word.empty() || word == no) return false;
    if (word == yes) return true;
    return std::unexpected(routing::invalid_request(
        "expected '" + std::string(no) + "' or '" + std::string(yes) + "'", std::string(name)
    ));
}

}  // namespace

ApiResult<CallLimits> read_call_limits(
    const http::Headers& headers, const GatewayOptions& options
) {
    CallLimits limits{.timeout = options.deadline_default};
    ApiResult<std::optional<Price>> input = read_price(headers, "x-penstock-max-input-price");
    if (!input) return std::unexpected(std::move(input.error()));
    ApiResult<std::optional<Price>> output = read_price(headers, "x-penstock-max-output-price");
    if (!output) return std::unexpected(std::move(output.error()));
    limits.input_price_max = *input;
    limits.output_price_max = *output;
    ApiResult<std::optional<Duration>> timeout = read_span(headers, "x-penstock-timeout");
    if (!timeout) return std::unexpected(std::move(timeout.error()));
    if (*timeout) limits.timeout = std::min(**timeout, options.deadline_max);
    ApiResult<std::optional<Duration>> wait = read_span(headers, "x-penstock-wait");
    if (!wait) return std::unexpected(std::move(wait.error()));
    limits.wait = *wait;
    ApiResult<std::optional<Duration>> keep_alive = read_span(headers, "x-penstock-keep-alive");
    if (!keep_alive) return std::unexpected(std::move(keep_alive.error()));
    if (*keep_alive) limits.keep_alive = std::max(**keep_alive, kKeepAliveMin);
    ApiResult<StreamPolicy> stream = read_stream_policy(headers);
    if (!stream) return std::unexpected(std::move(stream.error()));
    limits.stream = *stream;
    ApiResult<Undelivered> undelivered = read_undelivered(headers);
    if (!undelivered) return std::unexpected(std::move(undelivered.error()));
    limits.undelivered = *undelivered;
    ApiResult<bool> drops = read_word(headers, "x-penstock-unsupported", "refuse", "drop");
    if (!drops) return std::unexpected(std::move(drops.error()));
    limits.drops = *drops;
    ApiResult<bool> explain = read_word(headers, "x-penstock-explain", "0", "1");
    if (!explain) return std::unexpected(std::move(explain.error()));
    limits.explain = *explain;
    return limits;
}

bool explains(const CallLimits& limits, Random& random) {
    return limits.explain || random.below(kExplainOneIn) == 0;
}

std::optional<std::string> call_body_now(http::Request& request) {
    if (!request.body.empty()) return std::exchange(request.body, {});
    return request.reader.read_all_now();
}

io::Task<ApiResult<std::string>> read_call_body(http::Request* request, std::size_t max) {
    if (std::optional<std::string> whole = call_body_now(*request)) co_return *std::move(whole);
    Result<std::string> body = co_await request->reader.read_all();
    if (body) co_return *std::move(body);
    if (body.error().code == ErrorCode::resource_exhausted) {
        ApiError error = routing::invalid_request(
            "the request is larger than " + std::to_string(max) + " bytes", {}, "request_too_large"
        );
        error.status = 413;
        co_return std::unexpected(std::move(error));
    }
    co_return std::unexpected(
        routing::invalid_request("the request's body was cut: " + body.error().message)
    );
}

ApiError told(const Error& error) {
    ApiError out = routing::api_error(error);
    if (error.code == ErrorCode::unauthenticated) out.code = "invalid_api_key";
    if (error.code == ErrorCode::not_found) out.code = "model_not_found";
    if (error.code == ErrorCode::unavailable) out.retry_after = kBusyRetryAfter;
    return out;
}

ApiError busy(std::string message) {
    return {
        .status = 503,
        .message = std::move(message),
        .type = "server_error",
        .code = "overloaded",
        .retry_after = kBusyRetryAfter
    };
}

ApiError engine_failure(int status, std::string message) {
    return {
        .status = status,
        .message = std::move(message),
        .type = "server_error",
        .code = "upstream_error"
    };
}

ApiError deadline_passed(std::string before_what) {
    return {
        .status = 504,
        .message = "the call's deadline passed before " + std::move(before_what),
        .type = "timeout_error",
        .code = "deadline_exceeded"
    };
}

UnreadAnswer why_unread(const Error& error, std::size_t bytes_max) {
    constexpr int kBadGateway = 502;
    constexpr std::size_t kMiB = 1024UL * 1024;
    if (error.code == ErrorCode::deadline_exceeded)
        return {deadline_passed("the answer was complete"), EndReason::timeout};
    if (error.code != ErrorCode::resource_exhausted)
        return {
            engine_failure(kBadGateway, "the engine broke off before the answer was complete"),
            EndReason::upstream_error
        };
    const std::string most = bytes_max % kMiB == 0 ? std::to_string(bytes_max / kMiB) + " MiB"
                                                   : std::to_string(bytes_max) + " bytes";
    ApiError too_long = engine_failure(
        kBadGateway,
        "the engine's answer is larger than the " + most +
            " that the gateway reads of one that comes whole: stream it, or ask for less"
    );
    too_long.code = "answer_too_large";
    too_long.final = true;  // the engine would make all of it again
    return {std::move(too_long), EndReason::refused};
}

ApiError gateway_stopped() {
    return {
        .status = 503,
        .message =
            "this gateway is being stopped: send the call again, to another one or in a "
            "moment",
        .type = "server_error",
        .code = "gateway_stopped",
        .retry_after = kBusyRetryAfter
    };
}

ApiError no_such_model(const std::string& model) {
    return {
        .status = 404,
        .message = "the model '" + model + "' does not exist; GET /v1/models lists those that do",
        .type = "invalid_request_error",
        .param = "model",
        .code = "model_not_found"
    };
}

bool is_retryable(int status) {
    return status == 401 || status == 403 || status == 404 || status == 408 || status == 409 ||
           status == 429 || status >= 500;
}

int shown_fault(int status) {
    constexpr int kOverloaded = 529;
    if (status == 503 || status == kOverloaded) return 503;
    return status == 504 ? 504 : 502;
}

bool is_own_mistake(int status) {
    return status == 400 || status == 409 || status == 413 || status == 415 || status == 422;
}

std::optional<Duration> retry_after_of(const http::Headers& headers) {
    const std::string_view text = headers.get("Retry-After");
    std::uint32_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return std::chrono::seconds(seconds);
}

EndReason end_of_refusal(int status) {
    return is_own_mistake(status) || status == 429 ? EndReason::refused : EndReason::upstream_error;
}

std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (text.size() + names[i].size() > kListedBytesMax)
            return text + " and " + std::to_string(names.size() - i) + " more";
        text += (text.empty() ? "" : ", ") + names[i];
    }
    return text;
}

}  // namespace penstock::gateway
