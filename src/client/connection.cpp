// SPDX-License-Identifier: Apache-2.0
#include "client/connection.h"

#include <algorithm>
#include <fstream>

#include "client/api_error.h"

namespace penstock::client {
namespace {

constexpr std::size_t kIdempotencyKeyLength = 32;
constexpr std::size_t kPieceBytes = 256UL * 1024;
constexpr Duration kUploadTimeout = 30min;
constexpr std::size_t kProblemBytesMax = 256UL * 1024;

http::ClientOptions http_options(const ConnectionOptions& options) {
    http::ClientOptions http;
    http.user_agent = options.user_agent;
    http.tls.ca_file = options.ca_file;
    return http;
}

struct FileSource {
    std::ifstream stream;
};
io::Task<Result<std::string>> read_piece(std::shared_ptr<FileSource> source) {
    std::string piece(kPieceBytes, '\0');
    source->stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    piece.resize(static_cast<std::size_t>(source->stream.gcount()));
    if (source->stream.bad())
        co_return fail(ErrorCode::internal, "reading the file failed half way");
    co_return piece;
}

}  // namespace

Connection::Connection(io::Runtime& runtime, Random& random, ConnectionOptions options)
    : http_(runtime, http_options(options)), random_(random), options_(std::move(options)) {
    while (options_.endpoint.ends_with('/')) options_.endpoint.pop_back();
}

http::ClientRequest Connection::request_of(const Call& call) const {
    http::ClientRequest request{.method = call.method, .url = options_.endpoint + call.path};
    if (!call.query.empty()) request.url += "?" + call.query.to_string();
    request.headers.add("Accept", "application/json, application/problem+json");
    if (!options_.key.empty()) request.headers.add("Authorization", "Bearer " + options_.key);
    if (!call.idempotency_key.empty()) request.headers.add("Idempotency-Key", call.idempotency_key);
    if (!call.body.empty()) request.headers.add("Content-Type", call.content_type);
    request.body = call.body;
    return request;
}

io::Task<Connection::Answer> Connection::try_once(const Call* call) {
    const Duration timeout = call->timeout.value_or(options_.call_timeout);
    const auto before = std::chrono::steady_clock::now();
    Result<http::ClientResponse> response =
        co_await http_.send(request_of(*call), io::Deadline::after(timeout));
    if (options_.observe) {
        const auto took =
            std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - before);
        const std::string query = call->query.empty() ? "" : "?" + call->query.to_string();
        options_.observe(call->method, call->path + query, response ? response->status : 0, took);
    }
    if (!response) {
        Error error = std::move(response.error());
        if (error.code == ErrorCode::unavailable)
            error.message = "no answer from " + options_.endpoint + ": " + error.message;
        co_return Answer{std::unexpected(std::move(error)), {}};
    }
    answered_before_ = true;
    last_date_ = response->headers.get("Date");
    if (response->ok()) co_return Answer{std::move(response->body), {}};
    Refusal refusal =
        decode_refusal(response->status, response->headers.get("Retry-After"), response->body);
    co_return Answer{std::unexpected(std::move(refusal.error)), refusal.retry_after};
}

Duration Connection::backoff(int tries_done) {
    const Duration span =
        std::min(kBackoffMax, kBackoffFirst * (1 << std::min(tries_done - 1, 10)));
    // Between half and all of it, so that clients that lost the same server do not return together.
    return span / 2 + Duration(static_cast<std::int64_t>(
                          random_.below(static_cast<std::uint64_t>(span.count() / 2 + 1))
                      ));
}

io::Task<Result<std::string>> Connection::call(Call call) {
    if (call.method == "POST" && call.idempotency_key.empty())
        call.idempotency_key = random_text(random_, kIdempotencyKeyLength);
    for (int tries = 1;; ++tries) {
        Answer answer = co_await try_once(&call);
        if (answer.body) co_return std::move(answer.body);
        const ErrorCode code = answer.body.error().code;
        const bool told_when = answer.retry_after && *answer.retry_after <= kRetryAfterMax;
        const bool again =
            code == ErrorCode::unavailable || (code == ErrorCode::resource_exhausted && told_when);
        if (!again || tries >= (answered_before_ ? kTriesMax : kFirstContactTriesMax)) {
            if (answer.retry_after)
                answer.body.error().message +=
                    " (try again after " + to_string(*answer.retry_after) + ")";
            co_return std::move(answer.body);
        }
        co_await io::sleep_for(
            told_when ? std::max(*answer.retry_after, kBackoffFirst) : backoff(tries)
        );
    }
}

io::Task<Result<bool>> Connection::exists(std::string path) {
    const Result<std::string> found = co_await call({.method = "HEAD", .path = std::move(path)});
    if (found) co_return true;
    if (found.error().code == ErrorCode::not_found) co_return false;
    co_return std::unexpected(found.error());
}

io::Task<Result<http::ResponseStream>> Connection::open(Call call, http::Headers headers) {
    http::ClientRequest request = request_of(call);
    for (const http::Header& header : headers) request.headers.set(header.name, header.value);
    const Duration timeout = call.timeout.value_or(options_.call_timeout);
    Result<http::ResponseStream> stream =
        co_await http_.open(std::move(request), io::Deadline::after(timeout));
    if (!stream) co_return std::unexpected(std::move(stream.error()));
    answered_before_ = true;
    if (stream->status() >= 200 && stream->status() < 300) co_return std::move(stream);
    const Result<std::string> body =
        co_await stream->read_all(kProblemBytesMax, io::Deadline::after(timeout));
    co_return std::unexpected(
        decode_refusal(stream->status(), stream->headers().get("Retry-After"), body.value_or(""))
            .error
    );
}

io::Task<Result<void>> Connection::put_file(std::string path, std::filesystem::path file) {
    std::error_code failed;
    const std::uintmax_t bytes = std::filesystem::file_size(file, failed);
    if (failed)
        co_return fail(
            ErrorCode::not_found, "cannot read " + file.string() + ": " + failed.message()
        );
    for (int tries = 1;; ++tries) {
        // Shared: the body source lives inside the request, the file until its last piece was sent.
        auto source = std::make_shared<FileSource>(std::ifstream(file, std::ios::binary));
        http::ClientRequest request = request_of({.method = "PUT", .path = path});
        request.headers.set("Content-Type", "application/octet-stream");
        request.body = http::BodySource{[source] { return read_piece(source); }, bytes};
        Result<http::ClientResponse> response =
            co_await http_.send(std::move(request), io::Deadline::after(kUploadTimeout));
        Error error;
        if (response && response->ok()) co_return Result<void>();
        if (response)
            error = decode_refusal(response->status, "", response->body).error;
        else
            error = std::move(response.error());
        if (error.code != ErrorCode::unavailable || tries >= kTriesMax)
            co_return std::unexpected(std::move(error));
        co_await io::sleep_for(backoff(tries));
    }
}

Error Connection::unreadable(Error error) {
    error.message = "the server's answer could not be read: " + to_string(error) +
                    "; client and server may be of different versions (see penstock version)";
    error.field.clear();
    error.code = ErrorCode::internal;
    return error;
}

}  // namespace penstock::client
