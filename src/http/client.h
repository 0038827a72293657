// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "http/headers.h"
#include "http/url.h"
#include "http/websocket.h"
#include "io/runtime.h"
#include "io/stream.h"

namespace penstock::http {

struct ClientOptions {
    Duration connect_timeout = 5s;         // resolving, connecting and the TLS handshake together
    Duration idle_timeout = 30s;           // a kept connection is closed after it
    std::size_t idle_per_origin_max = 64;  // further ones are closed after use
    std::size_t idle_max = 1024;
    std::size_t header_max = 64UL * 1024;       // of a response
    std::size_t body_max = 64UL * 1024 * 1024;  // of a response that send() collects
    io::TlsClientOptions tls = {};
    bool public_addresses_only = false;  // for addresses that users gave; see io::ConnectOptions
    std::string unix_socket = {};        // connect there, whatever host the URL names
    std::string user_agent = "penstock";
    Duration websocket_idle_timeout = 20s;
};

// Gives a request body in pieces, empty at the end; sent chunked, or with `length` bytes in all.
struct BodySource {
    std::move_only_function<io::Task<Result<std::string>>()> read;
    std::optional<std::uint64_t> length = {};
};

struct ClientRequest {
    std::string method = "GET";
    std::string url;
    Headers headers = {};
    std::variant<std::string, BodySource> body = {};
    bool repeatable = false;  // may be sent again whatever its method: see Client
    bool at_once = false;     // not at the end of the loop's turn, with what others send
    // Called once, when it was handed to a connection for the first time and before an answer is
    // waited for: work that the answer needs can be done meanwhile.
    std::move_only_function<void()> on_sent = {};
};

struct ClientResponse {
    int status = 0;
    Headers headers;
    std::string body;
    bool ok() const { return status >= 200 && status < 300; }
    // Nothing when ok, else the error that the problem body tells.
    Result<void> check() const;
};

// A response whose body is read piece by piece. Read to the end its connection is kept; destroyed
// before, it is closed, which tells the server that nobody listens.
class ResponseStream {
  public:
    ResponseStream(ResponseStream&&) noexcept;
    ResponseStream& operator=(ResponseStream&&) noexcept;
    ~ResponseStream();

    int status() const;
    const Headers& headers() const;
    // The next bytes as soon as they come; empty at the end that the server meant. They stay valid
    // until the next read. unavailable: the connection was cut before that end. deadline_exceeded:
    // as it says; the stream can still be read.
    io::Task<Result<std::string_view>> read(io::Deadline deadline = io::Deadline::none());
    // The same for a stream that runs: where much comes at one time, what begins elsewhere is
    // served first (io/turn_end.h).
    io::Task<Result<std::string_view>> read_piece(io::Deadline deadline);
    // The same in steps, for loops that do without a coroutine for each piece:
    //     auto piece = stream.read_now();
    //     while (!piece) piece = stream.take(co_await stream.wait(deadline));
    std::optional<Result<std::string_view>> read_now();  // nothing: wait()
    io::Task<Result<std::size_t>> wait(io::Deadline deadline = io::Deadline::none());
    io::Task<Result<std::size_t>> wait_for_piece(io::Deadline deadline);  // of a stream that runs
    std::optional<Result<std::string_view>> take(const Result<std::size_t>& came);
    // Whoever keeps the stream for long and has read them need not keep them.
    void forget_headers();
    // All that is left; more than `max` bytes are resource_exhausted.
    io::Task<Result<std::string>> read_all(
        std::size_t max, io::Deadline deadline = io::Deadline::none()
    );

    struct State;
    explicit ResponseStream(std::unique_ptr<State> state);

  private:
    std::unique_ptr<State> state_;
};

// HTTP/1.1 client with a pool of kept connections, for one Runtime. Redirects are answers, not
// followed. A request is repeated once, and only when a kept connection turned out to be dead:
// before a byte of it was sent, or before a byte of an answer came if the method is idempotent or
// the request says that it is repeatable.
class Client {
  public:
    Client(io::Runtime& runtime, ClientOptions options = {});
    // Its response streams and WebSockets may live on.
    ~Client();

    io::Task<Result<ClientResponse>> send(ClientRequest request, io::Deadline deadline);
    // `deadline` covers everything up to the response header.
    io::Task<Result<ResponseStream>> open(ClientRequest request, io::Deadline deadline);
    io::Task<Result<std::unique_ptr<WebSocket>>> connect_websocket(
        std::string url, Headers headers, io::Deadline deadline
    );
    std::size_t idle_connections() const;

    struct State;

  private:
    std::shared_ptr<State>
        state_;  // shared with open response streams, which give back connections
};

}  // namespace penstock::http
