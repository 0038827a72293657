// SPDX-License-Identifier: Apache-2.0
#include "http/websocket.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "http/problem.h"
#include "http/websocket_handshake.h"
#include "io/event.h"
#include "io/stream_state.h"

namespace penstock::http {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using beast::error_code;

constexpr asio::use_awaitable_t<io::Executor> kAwaitable;
constexpr Duration kCloseTimeout = 5s;  // for the peer to answer our close frame

// Our stream in the form that Beast drives: it starts operations with handlers of its own.
class Wire {
  public:
    using executor_type = io::Executor;
    explicit Wire(io::Stream stream) : stream_(std::move(stream)) {}
    executor_type get_executor() noexcept { return stream_.executor(); }
    io::Stream& stream() { return stream_; }

    template <class Buffers, class Completion>
    void async_read_some(const Buffers& buffers, Completion&& completion) {
        io::Stream::State& state = stream_.state();
        if (state.has_pushback()) {
            std::size_t size = 0;
            for (auto it = asio::buffer_sequence_begin(buffers);
                 it != asio::buffer_sequence_end(buffers); ++it) {
                const asio::mutable_buffer buffer(*it);
                if (state.has_pushback())
                    size += state.take_pushback(static_cast<char*>(buffer.data()), buffer.size());
            }
            asio::post(
                get_executor(),
                beast::bind_front_handler(std::forward<Completion>(completion), error_code(), size)
            );
            return;
        }
        state.visit([&](auto& socket) {
            socket.async_read_some(buffers, std::forward<Completion>(completion));
        });
    }
    template <class Buffers, class Completion>
    void async_write_some(const Buffers& buffers, Completion&& completion) {
        stream_.state().visit([&](auto& socket) {
            socket.async_write_some(buffers, std::forward<Completion>(completion));
        });
    }

    friend void beast_close_socket(Wire& wire) { wire.stream_.close(); }
    friend void teardown(beast::role_type, Wire& wire, error_code& error) {
        wire.stream_.close();
        error = {};
    }
    // The closing frames were exchanged, so there is nothing to wait for.
    template <class Completion>
    friend void async_teardown(beast::role_type, Wire& wire, Completion&& completion) {
        wire.stream_.close();
        asio::post(
            wire.get_executor(),
            beast::bind_front_handler(std::forward<Completion>(completion), error_code())
        );
    }

  private:
    io::Stream stream_;
};

struct WebSocket::State {
    explicit State(io::Stream stream)
        : peer(stream.peer()), wire(std::move(stream)), turn(wire.get_executor()) {}

    void set_timeouts(Duration handshake, Duration idle) {
        websocket::stream_base::timeout timeout{};
        timeout.handshake_timeout = handshake;
        timeout.idle_timeout = idle;
        timeout.keep_alive_pings = true;
        wire.set_option(timeout);
    }

    std::string peer;
    websocket::stream<Wire> wire;
    io::Event turn;        // to send
    bool sending = false;  // stays true while the turn is handed from one sender to the next
    bool open = true;
    bool closing = false;
    std::uint16_t close_code = 0;
    std::string close_reason;
    std::string subprotocol;
};

namespace {

std::unexpected<Error> failure(const WebSocket::State& state, const error_code& error) {
    if (error == beast::error::timeout)
        return fail(
            ErrorCode::unavailable,
            fmt::format("WebSocket with {}: nothing was heard for too long", state.peer)
        );
    return fail(
        ErrorCode::unavailable, fmt::format("WebSocket with {}: {}", state.peer, error.message())
    );
}

// The right to send, given back when it goes out of scope.
class SendTurn {
  public:
    explicit SendTurn(WebSocket::State* state) : state_(state) {}
    ~SendTurn() {
        if (state_->turn.waiting() > 0)
            state_->turn.notify_one();
        else
            state_->sending = false;
    }
    SendTurn(const SendTurn&) = delete;
    SendTurn& operator=(const SendTurn&) = delete;

  private:
    WebSocket::State* state_;
};

template <class Message>
void add_headers(Message& message, const Headers& headers) {
    for (const Header& field : headers)
        if (valid_field_name(field.name) && valid_field_value(field.value))
            message.insert(field.name, field.value);
}

Duration within(io::Deadline deadline) { return std::min<Duration>(deadline.remaining(), 60s); }

}  // namespace

WebSocket::WebSocket(std::unique_ptr<State> state) : state_(std::move(state)) {}
WebSocket::~WebSocket() = default;

io::Task<Result<std::optional<WebSocket::Message>>> WebSocket::receive() {
    State* const state = state_.get();
    Message message;
    auto buffer = asio::dynamic_buffer(message.data);
    error_code error;
    co_await state->wire.async_read(buffer, asio::redirect_error(kAwaitable, error));
    if (!error) {
        message.text = state->wire.got_text();
        co_return std::optional<Message>(std::move(message));
    }
    state->open = false;
    if (error == asio::error::operation_aborted) co_await io::unwind_if_cancelled();
    if (error == websocket::error::closed) {
        state->close_code = state->wire.reason().code;
        state->close_reason = state->wire.reason().reason.c_str();
        co_return std::optional<Message>();
    }
    if (error == websocket::error::message_too_big)
        co_return fail(
            ErrorCode::resource_exhausted,
            fmt::format(
                "WebSocket with {}: a message is larger than {} bytes", state->peer,
                kWebSocketMessageMax
            )
        );
    co_return failure(*state, error);
}

io::Task<Result<void>> WebSocket::send_text(std::string text) {
    return send(std::move(text), true);
}
io::Task<Result<void>> WebSocket::send_binary(std::string bytes) {
    return send(std::move(bytes), false);
}

io::Task<Result<void>> WebSocket::send(std::string data, bool text) {
    State* const state = state_.get();
    if (state->turn.waiting() >= kWebSocketQueueMax)
        co_return fail(
            ErrorCode::resource_exhausted,
            fmt::format(
                "WebSocket with {}: {} messages wait to be sent", state->peer, kWebSocketQueueMax
            )
        );
    if (state->sending) co_await state->turn.wait();
    state->sending = true;
    const SendTurn turn(state);
    if (!state->open || state->closing)
        co_return fail(
            ErrorCode::unavailable, fmt::format("WebSocket with {}: it is closed", state->peer)
        );
    state->wire.text(text);
    error_code error;
    co_await state->wire.async_write(asio::buffer(data), asio::redirect_error(kAwaitable, error));
    if (!error) co_return Result<void>{};
    state->open = false;
    if (error == asio::error::operation_aborted) co_await io::unwind_if_cancelled();
    co_return failure(*state, error);
}

io::Task<void> WebSocket::close(CloseCode code, std::string reason) {
    State* const state = state_.get();
    if (!state->open || state->closing) co_return;
    state->closing = true;
    constexpr std::size_t kReasonMax = 123;  // what a control frame holds
    reason.resize(std::min(reason.size(), kReasonMax));
    error_code ignored;
    co_await state->wire.async_close(
        websocket::close_reason(static_cast<websocket::close_code>(code), reason),
        asio::redirect_error(kAwaitable, ignored)
    );
    state->open = false;
    state->wire.next_layer().stream().close();
}

void WebSocket::abort() {
    state_->open = false;
    state_->wire.next_layer().stream().abort();
}

bool WebSocket::is_open() const { return state_->open && !state_->closing; }
std::uint16_t WebSocket::close_code() const { return state_->close_code; }
const std::string& WebSocket::close_reason() const { return state_->close_reason; }
const std::string& WebSocket::subprotocol() const { return state_->subprotocol; }
const std::string& WebSocket::peer() const { return state_->peer; }

bool is_websocket_handshake(const Head& head) {
    return head.method == "GET" && head.version >= 11 &&
           head.headers.has_token("upgrade", "websocket") &&
           head.headers.has_token("connection", "upgrade") &&
           head.headers.get("sec-websocket-version") == "13" &&
           head.headers.count("sec-websocket-key") == 1;
}

io::Task<Result<std::unique_ptr<WebSocket>>> accept_websocket(
    io::Stream stream, Head handshake, Headers headers, std::string subprotocol,
    Duration idle_timeout, io::Deadline deadline
) {
    auto state = std::make_unique<WebSocket::State>(std::move(stream));
    state->subprotocol = subprotocol;
    state->set_timeouts(within(deadline), idle_timeout);
    state->wire.read_message_max(kWebSocketMessageMax);
    state->wire.set_option(websocket::stream_base::decorator([&](websocket::response_type& response
                                                             ) {
        add_headers(response, headers);
        if (!subprotocol.empty())
            response.set(beast::http::field::sec_websocket_protocol, subprotocol);
    }));
    beast::http::request<beast::http::empty_body> request(
        beast::http::verb::get, handshake.target, 11
    );
    add_headers(request, handshake.headers);
    error_code error;
    co_await state->wire.async_accept(request, asio::redirect_error(kAwaitable, error));
    if (error) co_return failure(*state, error);
    state->set_timeouts(kCloseTimeout, idle_timeout);
    co_return std::make_unique<WebSocket>(std::move(state));
}

io::Task<Result<std::unique_ptr<WebSocket>>> open_websocket(
    io::Stream stream, Url url, Headers headers, Duration idle_timeout, io::Deadline deadline
) {
    auto state = std::make_unique<WebSocket::State>(std::move(stream));
    state->set_timeouts(within(deadline), idle_timeout);
    state->wire.read_message_max(kWebSocketMessageMax);
    state->wire.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
        add_headers(request, headers);
    }));
    websocket::response_type response;
    error_code error;
    co_await state->wire.async_handshake(
        response, url.authority(), url.target, asio::redirect_error(kAwaitable, error)
    );
    if (error == websocket::error::upgrade_declined) {
        Error told = error_from_response(static_cast<int>(response.result_int()), response.body());
        told.message = fmt::format("{} refused the WebSocket: {}", to_string(url), told.message);
        co_return std::unexpected(std::move(told));
    }
    if (error) co_return failure(*state, error);
    const auto chosen = response[beast::http::field::sec_websocket_protocol];
    state->subprotocol = std::string(chosen.data(), chosen.size());
    state->set_timeouts(kCloseTimeout, idle_timeout);
    co_return std::make_unique<WebSocket>(std::move(state));
}

}  // namespace penstock::http
