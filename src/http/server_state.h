// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/id.h"
#include "http/departures.h"
#include "http/server.h"
#include "io/task_group.h"

// Internal to src/http.
namespace penstock::http {

class Connection;

// Counts and times requests per route and status. Looked up by pointer, so that a request costs no
// text.
class RequestMetrics {
  public:
    explicit RequestMetrics(telemetry::Registry* registry) : registry_(registry) {}
    void record(const Route* route, int status, Duration took);

  private:
    telemetry::Registry* registry_;
    std::map<std::pair<const Route*, int>, telemetry::Counter*> counters_;
    std::unordered_map<const Route*, telemetry::Histogram*> histograms_;
};

struct Server::State {
    State(io::Runtime& runtime, const Router& router_given, ServerOptions options_given);

    io::Task<> accept_loop();
    io::Task<> close_websocket(std::shared_ptr<WebSocket> websocket);
    std::string new_request_id();
    // "Tue, 24 Nov 2026 19:52:53 GMT"
    const std::string& date();

    io::Executor executor;
    const Router* router;
    ServerOptions options;
    telemetry::Logger log;
    telemetry::Gauge* connections_gauge = nullptr;
    RequestMetrics metrics;
    std::optional<io::TlsContext> tls;
    std::optional<io::Listener> listener;
    std::uint16_t port = 0;
    // A handler behind all middlewares for each route, and for paths without one (nullptr).
    std::unordered_map<const Route*, Handler> handlers;
    std::unordered_set<Connection*> connections;
    Departures departures;
    bool stopping = false;
    bool retiring = false;
    SystemClock clock;
    SeededRandom random;
    IdSource ids;
    std::time_t date_second = 0;
    std::string date_text;
    io::TaskGroup group;
    io::TaskGroup looking;  // for departures, as long as there are connections
};

}  // namespace penstock::http
