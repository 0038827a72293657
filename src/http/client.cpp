// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "http/client_state.h"
#include "http/problem.h"
#include "http/websocket_handshake.h"

namespace penstock::http {
namespace {

constexpr std::size_t kHeadUsual = 512;       // room that is made at once
constexpr std::size_t kTargetsMax = 256;      // URLs that are remembered; then they are read again
constexpr Duration kEarlyAnswerTimeout = 1s;  // for an answer after the server stopped reading

// A request in the form in which it is sent.
struct Outgoing {
    TargetPtr target;
    std::string head;
    std::string body;
    std::optional<BodySource> source;
    bool no_answer_body = false;  // HEAD
    bool repeatable = false;
    bool at_once = false;
    bool source_used = false;
    std::move_only_function<void()> on_sent;
};

bool is_idempotent(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
           method == "OPTIONS";
}

// What the client itself says, whatever the request has.
bool is_own_field(std::string_view name) {
    return equal_ignoring_case(name, "host") || equal_ignoring_case(name, "content-length") ||
           equal_ignoring_case(name, "transfer-encoding") ||
           equal_ignoring_case(name, "connection");
}

Result<Outgoing> prepare(ClientRequest request, TargetPtr target, std::string_view user_agent) {
    Outgoing out;
    out.target = std::move(target);
    if (!valid_field_name(request.method))
        return fail(
            ErrorCode::invalid_argument, fmt::format("'{}' is not an HTTP method", request.method)
        );
    out.no_answer_body = request.method == "HEAD";
    out.on_sent = std::move(request.on_sent);
    out.at_once = request.at_once;
    out.repeatable = request.repeatable || is_idempotent(request.method);
    std::string& head = out.head;
    head.reserve(kHeadUsual);
    const auto line = [&](std::string_view name, std::string_view value) {
        head.append(name).append(": ").append(value).append("\r\n");
    };
    head.append(request.method).append(" ").append(out.target->url.target);
    head.append(" HTTP/1.1\r\n");
    line("Host", out.target->authority);
    if (!request.headers.contains("user-agent")) line("User-Agent", user_agent);
    for (const Header& field : request.headers) {
        if (!valid_field_name(field.name) || !valid_field_value(field.value))
            return fail(
                ErrorCode::invalid_argument,
                fmt::format("the header field '{}' would break the request", field.name)
            );
        if (!is_own_field(field.name)) line(field.name, field.value);
    }
    const bool may_have_body = request.method != "GET" && request.method != "HEAD";
    if (auto* source = std::get_if<BodySource>(&request.body)) {
        out.source = std::move(*source);
        out.at_once = true;
        if (out.source->length)
            line("Content-Length", std::to_string(*out.source->length));
        else
            line("Transfer-Encoding", "chunked");
    } else {
        out.body = std::get<std::string>(std::move(request.body));
        if (!out.body.empty() || may_have_body)
            line("Content-Length", std::to_string(out.body.size()));
    }
    head += "\r\n";
    return out;
}

io::Task<Result<void>> send_source(io::Stream* stream, BodySource* source, io::Deadline deadline) {
    std::uint64_t sent = 0;
    while (true) {
        const std::string piece = CO_TRY(co_await source->read());
        sent += piece.size();
        if (source->length && (sent > *source->length || (piece.empty() && sent < *source->length)))
            co_return fail(
                ErrorCode::invalid_argument,
                fmt::format("the body has {} bytes where {} were announced", sent, *source->length)
            );
        const std::string size_line =
            source->length ? std::string() : fmt::format("{:x}\r\n", piece.size());
        const std::string_view end = source->length ? "" : "\r\n";
        const std::array<std::string_view, 3> parts = {size_line, piece, end};
        CO_TRY(co_await stream->write(parts, deadline));
        if (piece.empty()) co_return Result<void>{};
    }
}

// What did not go out at once, and a body that is made in pieces.
io::Task<Result<void>> send_rest(
    io::Stream* stream, Outgoing* out, std::span<const std::string_view> rest, io::Deadline deadline
) {
    if (!rest.empty()) CO_TRY(co_await stream->write(rest, deadline));
    if (!out->source) co_return Result<void>{};
    out->source_used = true;
    co_return co_await send_source(stream, &*out->source, deadline);
}

Error from_refusal(Refusal refusal, const Target& target) {
    // Whatever is wrong with an answer, the request may be good: another try elsewhere can help.
    const ErrorCode code = refusal.error.code == ErrorCode::deadline_exceeded
                               ? ErrorCode::deadline_exceeded
                               : ErrorCode::unavailable;
    return {code, fmt::format("{}: {}", target.origin, refusal.error.message), {}};
}

// Why there was no header, not even its first byte.
Error no_answer(const ClientConnection& connection, const Target& target) {
    Error end = connection.reader.end();
    if (end.message.empty()) end.message = "the connection was closed before an answer came";
    end.message = fmt::format("{}: {}", target.origin, end.message);
    return end;
}

// One try on one connection, up to the header of the final answer; interim ones (1xx) are read
// over.
io::Task<Result<void>> exchange(
    ClientConnection* connection, Outgoing* out, io::Deadline deadline, bool* sent
) {
    constexpr int kInterimMax = 8;
    std::array<std::string_view, 2> parts = {out->head, out->body};
    std::span<std::string_view> rest = parts;
    Result<void> written =
        out->at_once ? connection->stream.write_now(rest) : connection->stream.write_soon(rest);
    if (written && (!rest.empty() || out->source))
        written = co_await send_rest(&connection->stream, out, rest, deadline);
    *sent = written.has_value();
    if (auto told = std::exchange(out->on_sent, nullptr)) told();
    // A server may refuse a body early and stop reading: its answer says why.
    if (!written && written.error().code != ErrorCode::unavailable) co_return written;
    if (!written) deadline = io::earlier(deadline, io::Deadline::after(kEarlyAnswerTimeout));
    for (int i = 0; i < kInterimMax; ++i) {
        Parsed<bool> head =
            co_await connection->reader.read_head(deadline, Duration::max(), out->no_answer_body);
        if (!written && !(head && *head)) co_return written;
        if (connection->stream.send_failed()) *sent = false;
        if (!head) co_return std::unexpected(from_refusal(std::move(head.error()), *out->target));
        if (!*head) co_return std::unexpected(no_answer(*connection, *out->target));
        const int status = connection->reader.parser().head().status;
        if (status == 101)
            co_return fail(
                ErrorCode::unavailable, out->target->origin + ": an upgrade that was not asked for"
            );
        if (status >= 200) co_return Result<void>{};
    }
    co_return fail(ErrorCode::unavailable, out->target->origin + ": too many interim answers");
}

}  // namespace

Result<TargetPtr> Client::State::target_of(const std::string& url) {
    if (const auto known = targets.find(url); known != targets.end()) return known->second;
    Target target{.url = TRY(parse_url(url))};
    target.origin = target.url.origin();
    target.authority = target.url.authority();
    if (targets.size() >= kTargetsMax) targets.clear();
    return targets[url] = std::make_shared<const Target>(std::move(target));
}

ConnectionPtr Client::State::take_idle(const std::string& origin) {
    const auto found = idle.find(origin);
    ConnectionPtr good;
    while (found != idle.end() && !found->second.empty() && !good) {
        ConnectionPtr candidate = std::move(found->second.back());
        found->second.pop_back();
        --idle_count;
        if (!candidate->expires.passed() && candidate->stream.idle_and_open())
            good = std::move(candidate);
    }
    if (found != idle.end() && found->second.empty() && idle.size() > kTargetsMax)
        idle.erase(found);
    if (good) good->reused = true;
    return good;
}

void Client::State::keep(const std::string& origin, ConnectionPtr connection) {
    if (idle_count >= options.idle_max) return;
    std::deque<ConnectionPtr>& kept = idle[origin];
    while (!kept.empty() && kept.front()->expires.passed()) {
        kept.pop_front();
        --idle_count;
    }
    if (kept.size() >= options.idle_per_origin_max) return;
    connection->expires = io::Deadline::after(options.idle_timeout);
    kept.push_back(std::move(connection));
    ++idle_count;
}

Result<io::TlsContext> Client::State::tls_context() {
    if (!tls) tls = TRY(io::TlsContext::client(options.tls));
    return *tls;
}

io::Task<Result<io::Stream>> Client::State::connect(Url url, io::Deadline deadline) {
    const io::Deadline within = io::earlier(deadline, io::Deadline::after(options.connect_timeout));
    Result<io::Stream> stream = co_await connect_within(std::move(url), within);
    // Whoever called has time left: the peer is what cannot be had.
    if (!stream && stream.error().code == ErrorCode::deadline_exceeded && !deadline.passed())
        stream.error().code = ErrorCode::unavailable;
    co_return stream;
}

io::Task<Result<io::Stream>> Client::State::connect_within(Url url, io::Deadline deadline) {
    if (!options.unix_socket.empty())
        co_return co_await io::connect_unix(executor, options.unix_socket, deadline);
    io::Stream stream = CO_TRY(co_await io::connect_tcp(
        executor, url.host, url.port, deadline,
        {.public_addresses_only = options.public_addresses_only}
    ));
    if (url.secure())
        CO_TRY(co_await stream.secure_as_client(CO_TRY(tls_context()), url.host, deadline));
    co_return stream;
}

Client::Client(io::Runtime& runtime, ClientOptions options)
    : state_(std::make_shared<State>(runtime.executor(), std::move(options))) {}
Client::~Client() = default;

std::size_t Client::idle_connections() const { return state_->idle_count; }

io::Task<Result<ResponseStream>> Client::open(ClientRequest request, io::Deadline deadline) {
    const std::shared_ptr<State> state = state_;
    TargetPtr target = CO_TRY(state->target_of(request.url));
    Outgoing out =
        CO_TRY(prepare(std::move(request), std::move(target), state->options.user_agent));
    for (bool retried = false;; retried = true) {
        ConnectionPtr connection = retried ? nullptr : state->take_idle(out.target->origin);
        if (!connection)
            connection = std::make_unique<ClientConnection>(
                CO_TRY(co_await state->connect(out.target->url, deadline)),
                state->options.header_max
            );
        bool sent = false;
        Result<void> answered = co_await exchange(connection.get(), &out, deadline, &sent);
        if (answered) {
            auto stream = std::make_unique<ResponseStream::State>();
            Parser& parser = connection->reader.parser();
            stream->reusable = sent && parser.keep_alive();
            stream->head = parser.take_head();
            stream->status = stream->head->status;
            stream->client = state;
            stream->target = out.target;
            stream->connection = std::move(connection);
            if (stream->connection->reader.body_done()) stream->finish();
            co_return ResponseStream(std::move(stream));
        }
        const bool stale = connection->reused && !retried && !connection->reader.saw_bytes() &&
                           answered.error().code == ErrorCode::unavailable && !out.source_used;
        if (!stale || (sent && !out.repeatable))
            co_return std::unexpected(std::move(answered.error()));
    }
}

io::Task<Result<ClientResponse>> Client::send(ClientRequest request, io::Deadline deadline) {
    const std::size_t body_max = state_->options.body_max;
    ResponseStream stream = CO_TRY(co_await open(std::move(request), deadline));
    ClientResponse response{.status = stream.status(), .headers = stream.headers(), .body = {}};
    response.body = CO_TRY(co_await stream.read_all(body_max, deadline));
    co_return response;
}

io::Task<Result<std::unique_ptr<WebSocket>>> Client::connect_websocket(
    std::string text, Headers headers, io::Deadline deadline
) {
    const std::shared_ptr<State> state = state_;
    const Url url = CO_TRY(parse_url(text));
    if (!headers.contains("user-agent")) headers.add("User-Agent", state->options.user_agent);
    io::Stream stream = CO_TRY(co_await state->connect(url, deadline));
    co_return co_await open_websocket(
        std::move(stream), url, std::move(headers), state->options.websocket_idle_timeout, deadline
    );
}

Result<void> ClientResponse::check() const {
    if (ok()) return {};
    return std::unexpected(error_from_response(status, body));
}

ResponseStream::ResponseStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
ResponseStream::ResponseStream(ResponseStream&&) noexcept = default;
ResponseStream& ResponseStream::operator=(ResponseStream&&) noexcept = default;
ResponseStream::~ResponseStream() = default;

// Unread bytes may still come: the connection is closed with the object.
ResponseStream::State::~State() = default;

void ResponseStream::State::finish() {
    if (connection && reusable && connection->reader.buffer().empty() &&
        connection->stream.is_open())
        client->keep(target->origin, std::move(connection));
    connection.reset();
}

int ResponseStream::status() const { return state_->status; }
const Headers& ResponseStream::headers() const {
    static const Headers kForgotten;
    return state_->head ? state_->head->headers : kForgotten;
}

// What a piece that came from the reader means; at the end the connection is given back.
Result<std::string_view> ResponseStream::State::take(Parsed<std::string_view> piece) {
    if (piece && !piece->empty()) return *piece;
    if (piece) {
        finish();
        return std::string_view();
    }
    const bool late = piece.error().error.code == ErrorCode::deadline_exceeded;
    Error error{
        late ? ErrorCode::deadline_exceeded : ErrorCode::unavailable,
        fmt::format("{}: {}", target->origin, piece.error().error.message),
        {}
    };
    if (!late) {
        broken = std::make_unique<Error>(error);
        connection.reset();
    }
    return std::unexpected(std::move(error));
}

std::optional<Result<std::string_view>> ResponseStream::read_now() { return state_->read_now(); }

io::Task<Result<std::size_t>> ResponseStream::wait(io::Deadline deadline) {
    return state_->connection->reader.fill(deadline);
}

io::Task<Result<std::size_t>> ResponseStream::wait_for_piece(io::Deadline deadline) {
    return state_->connection->reader.fill_piece(deadline);
}

std::optional<Result<std::string_view>> ResponseStream::take(const Result<std::size_t>& came) {
    if (Parsed<void> more = state_->connection->reader.filled(came); !more)
        return state_->take(std::unexpected(std::move(more.error())));
    return state_->read_now();
}

void ResponseStream::forget_headers() { state_->head.reset(); }

std::optional<Result<std::string_view>> ResponseStream::State::read_now() {
    if (broken) return std::unexpected(*broken);
    if (!connection) return std::string_view();
    std::optional<Parsed<std::string_view>> piece = connection->reader.body_now(UINT64_MAX);
    if (!piece) return std::nullopt;
    return take(*std::move(piece));
}

io::Task<Result<std::string_view>> ResponseStream::read(io::Deadline deadline) {
    std::optional<Result<std::string_view>> piece = read_now();
    while (!piece) piece = take(co_await wait(deadline));
    co_return *std::move(piece);
}

io::Task<Result<std::string_view>> ResponseStream::read_piece(io::Deadline deadline) {
    std::optional<Result<std::string_view>> piece = read_now();
    while (!piece) piece = take(co_await wait_for_piece(deadline));
    co_return *std::move(piece);
}

io::Task<Result<std::string>> ResponseStream::read_all(std::size_t max, io::Deadline deadline) {
    std::string body;
    while (true) {
        std::optional<Result<std::string_view>> next = read_now();
        while (!next) next = take(co_await wait(deadline));
        const Result<std::string_view>& piece = *next;
        if (!piece) co_return std::unexpected(piece.error());
        if (piece->empty()) co_return body;
        if (body.size() + piece->size() > max)
            co_return fail(
                ErrorCode::resource_exhausted,
                fmt::format("{}: the answer is larger than {} bytes", state_->target->origin, max)
            );
        body += *piece;
    }
}

}  // namespace penstock::http
