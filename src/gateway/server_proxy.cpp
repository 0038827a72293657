// SPDX-License-Identifier: Apache-2.0
#include "gateway/server_proxy.h"

#include <array>
#include <memory>

#include "gateway/api_answer.h"

namespace penstock::gateway {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kRoutes{{
    {"GET", "/v1/key"},
    {"GET", "/v1/credits"},
    {"GET", "/v1/generation"},
    {"POST", "/v1/files"},
    {"GET", "/v1/files"},
    {"GET", "/v1/files/{file_id}"},
    {"GET", "/v1/files/{file_id}/content"},
    {"DELETE", "/v1/files/{file_id}"},
    {"POST", "/v1/batches"},
    {"GET", "/v1/batches"},
    {"GET", "/v1/batches/{batch_id}"},
    {"GET", "/v1/batches/{batch_id}:explain"},
    {"POST", "/v1/batches/{batch_id}/cancel"},
    {"GET", "/v1/responses/{response_id}"},
    {"DELETE", "/v1/responses/{response_id}"},
    {"GET", "/v1/responses/{response_id}/input_items"},
    {"POST", "/v1/conversations"},
    {"GET", "/v1/conversations/{conversation_id}"},
    {"POST", "/v1/conversations/{conversation_id}"},
    {"DELETE", "/v1/conversations/{conversation_id}"},
    {"GET", "/v1/conversations/{conversation_id}/items"},
    {"POST", "/v1/conversations/{conversation_id}/items"},
    {"GET", "/v1/conversations/{conversation_id}/items/{item_id}"},
    {"DELETE", "/v1/conversations/{conversation_id}/items/{item_id}"},
}};

// What the server needs of a client's request; all else stays here.
constexpr std::array<std::string_view, 6> kPassed{
    "Authorization", "Content-Type", "Accept", "traceparent", "Range", "Idempotency-Key"
};
constexpr std::array<std::string_view, 6> kPassedBack{
    "Content-Type",  "Retry-After",         "WWW-Authenticate",
    "Content-Range", "Content-Disposition", "Idempotency-Replayed"
};

io::Task<Result<std::string>> next_piece(http::BodyReader* reader) {
    const std::string_view piece = CO_TRY(co_await reader->read());
    co_return std::string(piece);
}

io::Task<void> copy(std::unique_ptr<http::ResponseStream> from, http::BodyWriter to) {
    while (true) {
        const Result<std::string_view> piece = co_await from->read();
        if (!piece) co_return to.abort();
        if (piece->empty() || !co_await to.write(*piece)) co_return;
    }
}

}  // namespace

ServerProxy::ServerProxy(io::Runtime& runtime, std::string server_url)
    : client_(runtime), server_url_(std::move(server_url)) {
    while (server_url_.ends_with('/')) server_url_.pop_back();
}

void ServerProxy::add_routes(http::Router& router) {
    for (const auto& [method, pattern] : kRoutes) {
        http::RouteOptions options;
        options.body_max = kBodyMax;
        options.stream_body = true;
        router.add(
            method, pattern, [this](http::Request request) { return pass(std::move(request)); },
            std::move(options)
        );
    }
}

io::Task<http::Response> ServerProxy::pass(http::Request request) {
    http::ClientRequest asked{.method = request.method, .url = server_url_ + request.target};
    for (const std::string_view name : kPassed)
        if (const auto value = request.headers.find(name)) asked.headers.set(name, *value);
    // OpenAI's clients send one of the two.
    if (const auto key = request.headers.find("x-api-key"))
        if (!asked.headers.contains("Authorization"))
            asked.headers.set("Authorization", std::string("Bearer ").append(*key));
    http::BodyReader reader = request.reader;
    if (request.method == "POST")
        asked.body = http::BodySource{.read = [&reader] { return next_piece(&reader); }};
    Result<http::ResponseStream> answer =
        co_await client_.open(std::move(asked), io::Deadline::after(kAnswerTimeout));
    if (!answer)
        co_return error_response(
            {.status = 503,
             .message =
                 "files, batches, kept answers and conversations lie at the platform's server, "
                 "which does not answer now: try again soon",
             .type = "server_error",
             .code = "server_unavailable",
             .retry_after = 1s}
        );
    http::Response response{.status = answer->status(), .headers = {}, .body = {}};
    for (const std::string_view name : kPassedBack)
        if (const auto value = answer->headers().find(name)) response.headers.set(name, *value);
    auto from = std::make_unique<http::ResponseStream>(*std::move(answer));
    response.body = [from = std::move(from)](http::BodyWriter writer) mutable {
        return copy(std::move(from), writer);
    };
    co_return response;
}

}  // namespace penstock::gateway
