// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "http/router.h"
#include "io/pool.h"
#include "io/runtime.h"
#include "io/stream.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace penstock::http {

struct ServerOptions {
    std::string host = "127.0.0.1";  // or "fd:7": a socket that listens already, from then on ours
    std::uint16_t port = 0;
    bool reuse_port = false;
    std::optional<io::TlsServerOptions> tls = {};
    std::size_t header_max = 32UL * 1024;      // above: 431
    std::size_t body_max = 8UL * 1024 * 1024;  // above: 413; a route may say otherwise
    std::size_t connections_max = 20'000;      // above: accepted and closed at once
    Duration header_timeout = 10s;             // for the whole header; above: 408 and closed
    Duration body_timeout = 30s;   // without a byte of the body, and see kBodyRateMin; as above
    Duration idle_timeout = 75s;   // between requests of one connection
    Duration write_timeout = 60s;  // for one write; a client that reads nothing is cut off
    Duration websocket_idle_timeout = 20s;  // a ping goes out after half of it
    telemetry::Logger log = {};
    telemetry::Registry* metrics = nullptr;
    io::Pool* pool = nullptr;  // reads files there; without it on the loop
};

// A body must come with at least this many bytes a second on average once body_timeout has passed.
constexpr std::size_t kBodyRateMin = 256;
// What is read of a refused body so that the client can see the answer before the connection
// closes.
constexpr std::size_t kDrainBytesMax = 256UL * 1024;

// HTTP/1.1 with keep-alive, pipelining, chunked bodies, WebSocket and TLS, on one Runtime. Strict:
// what two parsers could read in two ways is refused with 400 and the connection closed.
class Server {
  public:
    // The router must be complete before start() and outlive the server.
    Server(io::Runtime& runtime, const Router& router, ServerOptions options);
    ~Server();

    // Takes the address, so that it is known before the router is complete. start() does it
    // otherwise.
    Result<void> bind();
    Result<void> start();
    std::uint16_t local_port() const;
    // "http://127.0.0.1:8080"
    std::string url() const;
    std::size_t connections() const;
    // Another process goes on with the address: takes no new connection, and tells those that are
    // open with their next answer to come anew. None is closed, so that no request is lost;
    // connections() falls to nothing, by idle_timeout at the latest. stop() ends it.
    void retire();
    // Takes no new connection, closes idle ones and waits until all requests are answered; false:
    // some are not by then.
    io::Task<bool> drain(io::Deadline until);
    // After drain(): handlers that wait (ClientWatch) learn that nothing more can be waited for, as
    // if their clients had gone, and have kLastWords to tell them so; then the rest is cancelled.
    static constexpr Duration kLastWords = 1s;
    io::Task<void> stop(io::Deadline drain);

    struct State;

  private:
    std::unique_ptr<State> state_;
};

}  // namespace penstock::http
