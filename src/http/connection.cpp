// SPDX-License-Identifier: Apache-2.0
#include "http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "http/problem.h"
#include "http/websocket.h"
#include "http/websocket_handshake.h"

namespace penstock::http {
namespace {

constexpr Duration kLingerTimeout = 2s;              // for a client to read a refusal
constexpr std::size_t kWatchBytesMax = 64UL * 1024;  // pipelined bytes that are kept while watching
constexpr std::size_t kRequestIdMax = 128;
// Room that is made for a body at once, whatever length it announces.
constexpr std::uint64_t kBodyReserveMax = 2UL * 1024 * 1024;

bool usable_request_id(std::string_view id) {
    return !id.empty() && id.size() <= kRequestIdMax && std::ranges::all_of(id, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_' || c == '.' || c == ':';
    });
}

// The path and query of a request target in origin, absolute or asterisk form (RFC 9112, 3.2).
Result<std::string> origin_form(const Head& head) {
    const std::string& target = head.target;
    if (target.starts_with('/') || (target == "*" && head.method == "OPTIONS")) return target;
    if (!target.starts_with("http://") && !target.starts_with("https://"))
        return fail(ErrorCode::invalid_argument, "the request target must begin with '/'");
    return TRY(parse_url(target)).target;
}

std::string_view query_of(std::string_view target) {
    const std::size_t mark = target.find('?');
    return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

io::Task<Response> answered(Response response) { co_return response; }

}  // namespace

Connection::Connection(Server::State* server, io::Stream stream)
    : server_(server),
      stream_(std::move(stream)),
      reader_(&stream_, Parser::Kind::request, server->options.header_max) {
    server_->connections.insert(this);
    if (server_->connections_gauge != nullptr) server_->connections_gauge->add(1);
}

Connection::~Connection() {
    server_->departures.remove(this);
    server_->connections.erase(this);
    if (server_->connections_gauge != nullptr) server_->connections_gauge->add(-1);
}

Connection::Asked::Asked(
    std::string_view method, std::string_view request_id, std::string_view path
)
    : method_size(static_cast<std::uint32_t>(method.size())),
      id_size(static_cast<std::uint32_t>(request_id.size())) {
    text.reserve(method.size() + request_id.size() + path.size());
    text.append(method).append(request_id).append(path);
}

// The frames of this task and those of a streamed body are all that a stream keeps while nothing
// comes: what is needed only to understand a request, or to end an answer, is in coroutines that
// have returned.
io::Task<> Connection::run(std::unique_ptr<Connection> self) {
    Connection& own = *self;
    while (!own.server_->stopping) {
        Next next = co_await own.answer_next();
        if (next == Next::body) {
            bool whole = true;
            try {
                co_await own.body_(BodyWriter(&own));
            } catch (const std::exception& error) {
                if (io::is_cancelled(error)) throw;
                own.log_thrown("a response stream threw", error.what());
                whole = false;
            }
            next = co_await own.end_body(whole);
        }
        if (next == Next::end) break;
    }
    own.stream_.close();
}

io::Task<bool> Connection::secure() {
    const Result<void> secured = co_await stream_.secure_as_server(
        *server_->tls, io::Deadline::after(server_->options.header_timeout)
    );
    if (!secured)
        server_->log.debug(
            "TLS handshake failed", {{"peer", stream_.peer()}, {"error", secured.error().message}}
        );
    co_return secured.has_value();
}

// Reads a request and answers it. A body that is streamed is left to run(), in body_.
io::Task<Connection::Next> Connection::answer_next() {
    begin_wait();
    if (server_->tls && !stream_.is_secure() && !co_await secure()) co_return Next::end;
    Response response;
    {
        const Parsed<bool> head = co_await reader_.read_head(
            io::Deadline::after(server_->options.idle_timeout), server_->options.header_timeout
        );
        if (head && !*head) co_return Next::end;
        answering_ = true;
        started_ = server_->clock.monotonic();
        if (!head) response = refusal(head.error());
    }
    if (keep_) response = co_await respond();
    begin_answer();
    if (std::holds_alternative<Upgrade>(response.body)) {
        if (can_upgrade()) {
            co_await upgrade(&response);
            co_return Next::end;
        }
        response = upgrade_needed();
    }
    status_ = response.status;
    bool sent = false;
    if (auto* body = std::get_if<StreamBody>(&response.body)) {
        body_ = std::move(*body);
        if (begin_stream(response)) co_return Next::body;
        co_return co_await end_body(true);
    }
    if (std::holds_alternative<FileBody>(response.body)) {
        sent = co_await send_file(&response);
    } else {
        Text text = begin_text(response);
        const std::optional<bool> now = send_text_now(text);
        sent = now ? *now : co_await send_text(std::move(text));
    }
    const std::optional<Next> next = end_answer(sent);
    co_return next ? *next : co_await drain_body();
}

void Connection::finish() {
    if (const auto websocket = websocket_.lock())
        server_->group.spawn(server_->close_websocket(websocket));
    if (!answering_) stream_.close();
}

void Connection::begin_wait() {
    answering_ = false;
    asked_ = {};
    keep_ = true;
}

io::Task<Response> Connection::respond() {
    std::string what;
    try {
        co_return co_await handle();
    } catch (const std::exception& error) {
        if (io::is_cancelled(error)) throw;
        what = error.what();
    }
    end_watch();
    log_thrown("a handler threw", what);
    co_return problem(
        {ErrorCode::internal, "the server failed; the request id names the entry in its log", {}}
    );
}

// The task that answers the request, which is the handler's own wherever that can be: the request
// is then nowhere else.
io::Task<Response> Connection::handle() {
    Result<Request> prepared = prepare_request();
    if (!prepared) return answered(refusal({400, std::move(prepared.error())}));
    const Route* const route = asked_.route;
    if (route == nullptr || !route->options.stream_body) {
        std::optional<std::string> body = reader_.body_done() ? std::string() : whole_body_now();
        if (!body) return handle_whole(*std::move(prepared));
        prepared->body = *std::move(body);
    }
    return server_->handlers.find(route)->second(*std::move(prepared));
}

io::Task<Response> Connection::handle_whole(Request request) {
    Result<std::string> body = co_await read_whole_body();
    if (!body) co_return refusal({status_of_body_error(body.error()), std::move(body.error())});
    request.body = *std::move(body);
    co_return co_await server_->handlers.find(asked_.route)->second(std::move(request));
}

int Connection::status_of_body_error(const Error& error) {
    return error.code == ErrorCode::resource_exhausted  ? 413
           : error.code == ErrorCode::deadline_exceeded ? 408
                                                        : 400;
}

// The request as its handler gets it, without its body. What answers and logs need stays in asked_.
Result<Request> Connection::prepare_request() {
    const ServerOptions& options = server_->options;
    Head& head = reader_.parser().head();
    head_only_ = head.method == "HEAD";
    keep_ = reader_.parser().keep_alive();
    cut_ = false;
    sent_ = 0;
    write_error_.reset();
    body_wait_ = Duration{0};
    expects_continue_ = head.version >= 11 && head.headers.contains("expect");
    const std::string_view id = head.headers.get("x-request-id");
    Request request;
    request.request_id = usable_request_id(id) ? std::string(id) : server_->new_request_id();
    request.method = head.method;
    Result<std::string> target = origin_form(head);
    if (target) request.path = target->substr(0, std::min(target->find('?'), target->find('#')));
    asked_ = Asked(request.method, request.request_id, request.path);
    request.target = TRY(std::move(target));
    request.peer = stream_.peer();
    request.secure = stream_.is_secure();
    if (request.secure) request.peer_name = stream_.peer_certificate_name();
    request.reader = BodyReader(this);
    request.client = ClientWatch(this);
    // A bad path is answered by the handler of no route, behind the middlewares.
    Router::Match match =
        server_->router->match(request.method, request.path).value_or(Router::Match{});
    request.route = asked_.route = match.route;
    request.params = std::move(match.params);
    body_max_ = options.body_max;
    if (match.route != nullptr) {
        body_max_ = match.route->options.body_max.value_or(options.body_max);
        if (match.route->options.timeout > 0s)
            request.deadline = io::Deadline::after(match.route->options.timeout);
    }
    handshake_ = head.headers.contains("upgrade") ? std::make_unique<Head>(head) : nullptr;
    request.headers = std::move(head.headers);
    request.query = TRY(Query::parse(query_of(request.target)));
    return request;
}

// All of the body: straight into its text where it is long and its length is known.
io::Task<Result<std::string>> Connection::read_whole_body() {
    std::string body;
    if (const auto length = reader_.parser().content_length(); length && *length <= body_max_)
        body.reserve(std::min<std::uint64_t>(*length, kBodyReserveMax));
    while (true) {
        std::optional<Result<std::string_view>> now = body_now();
        if (!now && !expects_continue_) {
            Parsed<std::size_t> more = reader_.body_straight(body);
            if (!more) {
                keep_ = false;
                co_return std::unexpected(std::move(more.error().error));
            }
            if (*more > 0) continue;
        }
        Result<std::string_view> piece = now ? *std::move(now) : co_await read_body();
        if (!piece) co_return std::unexpected(std::move(piece.error()));
        if (piece->empty()) {
            reader_.let_go_of_piece();
            co_return body;
        }
        body += *piece;
    }
}

std::optional<std::string> Connection::whole_body_now() {
    const std::optional<std::uint64_t> left = reader_.parser().length_left();
    if (!left || *left > reader_.buffer().size() || *left > body_max_) return std::nullopt;
    std::optional<Result<std::string_view>> piece = body_now();
    if (!piece || !*piece || !reader_.body_done()) return std::nullopt;
    std::string body(**piece);
    reader_.let_go_of_piece();
    return body;
}

// What has come of the body; nothing while more is to be waited for.
std::optional<Result<std::string_view>> Connection::body_now() {
    if (reader_.body_done()) return std::string_view();
    if (reader_.parser().content_length().value_or(0) > body_max_) {
        keep_ = false;
        return fail(
            ErrorCode::resource_exhausted,
            fmt::format("the body is larger than {} bytes", body_max_)
        );
    }
    if (expects_continue_) return std::nullopt;
    std::optional<Parsed<std::string_view>> piece = reader_.body_now(body_max_);
    if (!piece) return std::nullopt;
    return take_piece(*std::move(piece));
}

Result<std::string_view> Connection::take_piece(Parsed<std::string_view> piece) {
    if (piece) return *piece;
    keep_ = false;
    return std::unexpected(std::move(piece.error().error));
}

io::Task<Result<std::string_view>> Connection::read_body() {
    if (std::optional<Result<std::string_view>> piece = body_now()) co_return *std::move(piece);
    if (std::exchange(expects_continue_, false)) {
        Result<void> told =
            co_await stream_.write("HTTP/1.1 100 Continue\r\n\r\n", write_deadline());
        if (!told) {
            keep_ = false;
            co_return std::unexpected(std::move(told.error()));
        }
    }
    const Duration timeout = server_->options.body_timeout;
    const Duration began = server_->clock.monotonic();
    const Result<std::string_view> piece =
        take_piece(co_await reader_.read_body(body_max_, io::Deadline::after(timeout)));
    if (!piece) co_return piece;
    // Whoever sends a byte now and then would hold the connection for days. Only our waiting
    // counts: a handler may take its time between reads.
    body_wait_ += server_->clock.monotonic() - began;
    const bool slow =
        to_seconds(body_wait_) * kBodyRateMin > static_cast<double>(reader_.body_size());
    if (!piece->empty() && body_wait_ > timeout && slow) {
        keep_ = false;
        co_return fail(
            ErrorCode::deadline_exceeded,
            fmt::format("the body comes slower than {} bytes a second", kBodyRateMin)
        );
    }
    co_return piece;
}

Response Connection::problem(const Error& error, int status) const {
    Request about;
    about.path = asked_.path();
    about.request_id = asked_.request_id();
    return problem_response(error, about, status);
}

// The answer to what could not be read as a request; what follows on the connection means nothing.
Response Connection::refusal(const Refusal& refusal) {
    keep_ = false;
    cut_ = false;
    sent_ = 0;
    write_error_.reset();
    if (asked_.text.empty()) asked_ = Asked({}, server_->new_request_id(), {});
    if (asked_.method().empty()) head_only_ = false;
    return problem(refusal.error, refusal.status);
}

// Closing with unread bytes would reset the connection, and the client might lose the answer.
io::Task<> Connection::linger() {
    const io::Deadline deadline = io::Deadline::after(kLingerTimeout);
    co_await stream_.shutdown(deadline);
    std::array<char, 4096> scrap;
    std::size_t read = 0;
    while (read < kDrainBytesMax) {
        const Result<std::size_t> size = co_await stream_.read_some(scrap, deadline);
        if (!size || *size == 0) co_return;
        read += *size;
    }
}

io::Task<> Connection::client_gone() {
    while (!input_ended_) {
        // While the body is being read its reader sees the end; with too much pipelined, nobody
        // can.
        if (!reader_.body_done() || reader_.buffer().size() >= kWatchBytesMax) {
            if (!never_) never_ = std::make_unique<io::Event>(server_->executor);
            co_await never_->wait();
            continue;
        }
        const Result<std::size_t> size = co_await stream_.read_some(reader_.buffer().prepare());
        if (!size || *size == 0)
            input_ended_ = true;
        else
            reader_.buffer().commit(*size);
    }
}

const bool* Connection::begin_watch() {
    watched_ = true;
    if (!input_ended_) server_->departures.add(this);
    return &input_ended_;
}

void Connection::end_watch() {
    watched_ = false;
    server_->departures.remove(this);
    stream_.call_when_readable(nullptr);
}

bool Connection::let_go() {
    if (!watched_ || input_ended_) return false;
    input_ended_ = true;
    canceller_.cancel();
    return true;
}

// A handler waits, perhaps for long: what came of its request is not kept for the next one's bytes.
void Connection::look_for_departure() {
    if (reader_.body_done()) reader_.release_if_idle();
    wait_for_end();
}

// While the body is being read its reader sees the end; with too much pipelined, nobody can.
void Connection::wait_for_end() {
    if (reader_.body_done() && reader_.buffer().size() < kWatchBytesMax)
        stream_.call_when_readable([this] { look_for_end(); });
}

void Connection::look_for_end() {
    if (!watched_ || !stream_.is_open()) return;
    const auto size = stream_.read_now(reader_.buffer().prepare());
    if (size && *size && **size > 0) reader_.buffer().commit(**size);
    input_ended_ = !size || (*size && **size == 0);
    if (input_ended_)
        canceller_.cancel();
    else
        wait_for_end();
}

io::Deadline Connection::write_deadline() const {
    return io::Deadline::after(server_->options.write_timeout);
}

void Connection::log_request(std::string_view note) {
    const Duration took = server_->clock.monotonic() - started_;
    server_->metrics.record(asked_.route, status_, took);
    const telemetry::Level level =
        status_ >= 500 ? telemetry::Level::warning : telemetry::Level::debug;
    if (!server_->log.enabled(level)) return;
    server_->log.write(
        level, "request",
        {{"method", asked_.method()},
         {"path", asked_.path()},
         {"status", status_},
         {"bytes", sent_},
         {"ms", to_ms(took)},
         {"peer", stream_.peer()},
         {"request_id", asked_.request_id()},
         {"note", note}}
    );
}

void Connection::log_thrown(std::string_view what_threw, std::string_view what) const {
    server_->log.error(
        what_threw, {{"request_id", asked_.request_id()},
                     {"method", asked_.method()},
                     {"path", asked_.path()},
                     {"error", what}}
    );
}

io::Task<Result<std::string_view>> BodyReader::read() { return connection_->read_body(); }
std::optional<Result<std::string_view>> BodyReader::read_now() { return connection_->body_now(); }
io::Task<Result<std::string>> BodyReader::read_all() { return connection_->read_whole_body(); }
std::optional<std::string> BodyReader::read_all_now() { return connection_->whole_body_now(); }
io::Task<Result<void>> BodyWriter::write(std::string_view bytes) {
    return connection_->write_body(bytes);
}
std::optional<Result<void>> BodyWriter::write_now(std::string_view bytes) {
    return connection_->write_body_now(bytes);
}
void BodyWriter::push() { connection_->push_body(); }
void BodyWriter::push_now() { connection_->push_body_now(); }
io::Task<Result<void>> BodyWriter::flush() { return connection_->flush_body(); }
void BodyWriter::abort() { connection_->abort_response(); }
namespace {

// Of a request that no connection brought: whoever made it watches over it himself.
io::Task<void> never() {
    while (true) co_await io::sleep_for(24h);
}

}  // namespace

io::Task<void> ClientWatch::gone() {
    return connection_ == nullptr ? never() : connection_->client_gone();
}
bool ClientWatch::can_be_told() const { return connection_ != nullptr && connection_->can_watch(); }
const bool* ClientWatch::begin_watch() { return connection_->begin_watch(); }
void ClientWatch::end_watch() { connection_->end_watch(); }

}  // namespace penstock::http
