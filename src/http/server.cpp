// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/check.h"
#include "http/connection.h"
#include "http/problem.h"
#include "http/server_state.h"
#include "http/websocket.h"

namespace penstock::http {
namespace {

constexpr Duration kAcceptRetryAfter = 50ms;  // when no descriptor is free, or the like

std::uint64_t system_seed() {
    SystemRandom random;
    return random.next();
}

io::Task<Response> no_such_path(Request request) {
    co_return problem_response(
        {ErrorCode::not_found, fmt::format("there is nothing at '{}'", request.path), {}}, request
    );
}

io::Task<Response> wrong_method(Request request, std::vector<std::string> allow) {
    Response response = problem_response(
        {ErrorCode::invalid_argument,
         fmt::format(
             "'{}' does not take {}, but {}", request.path, request.method, fmt::join(allow, ", ")
         ),
         {}},
        request, 405
    );
    response.headers.set("Allow", fmt::format("{}", fmt::join(allow, ", ")));
    co_return response;
}

// The innermost handler of requests that match no route.
io::Task<Response> unrouted(Request request, const Router* router) {
    const Result<Router::Match> match = router->match(request.method, request.path);
    if (!match) co_return problem_response(match.error(), request);
    if (match->allow.empty()) co_return co_await no_such_path(std::move(request));
    co_return co_await wrong_method(std::move(request), match->allow);
}

}  // namespace

void RequestMetrics::record(const Route* route, int status, Duration took) {
    if (registry_ == nullptr) return;
    const std::string_view name = route == nullptr ? "none" : std::string_view(route->pattern);
    const std::string_view verb = route == nullptr ? "none" : std::string_view(route->method);
    telemetry::Counter*& counter = counters_[{route, status}];
    if (counter == nullptr)
        counter = &registry_->counter(
            "penstock_http_requests_total", "Requests answered, by route and status.",
            {{"route", name}, {"method", verb}, {"status", std::to_string(status)}}
        );
    counter->add();
    telemetry::Histogram*& histogram = histograms_[route];
    if (histogram == nullptr)
        histogram = &registry_->histogram(
            "penstock_http_request_duration_seconds",
            "From the request's header to the end of the answer.",
            {{"route", name}, {"method", verb}}
        );
    histogram->observe(to_seconds(took));
}

Server::State::State(io::Runtime& runtime, const Router& router_given, ServerOptions options_given)
    : executor(runtime.executor()),
      router(&router_given),
      options(std::move(options_given)),
      log(options.log.component("http")),
      metrics(options.metrics),
      departures(executor),
      random(system_seed()),
      ids(random),
      group(executor, "http server"),
      looking(executor, "http departures") {}

std::string Server::State::new_request_id() { return "rq_" + to_string(ids.next_raw(clock.now())); }

const std::string& Server::State::date() {
    const std::time_t now = std::chrono::system_clock::to_time_t(clock.now());
    if (now != date_second) {
        date_second = now;
        date_text = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
    }
    return date_text;
}

io::Task<> Server::State::accept_loop() {
    while (true) {
        Result<io::Stream> stream = co_await listener->accept();
        // One that was taken before the others took over is ours.
        if (stopping || (retiring && !stream)) co_return;
        if (!stream) {
            log.error("cannot accept", stream.error());
            co_await io::sleep_for(kAcceptRetryAfter);
            continue;
        }
        if (connections.size() >= options.connections_max) {
            log.warning("connection refused: too many", {{"limit", options.connections_max}});
            continue;
        }
        auto connection = std::make_unique<Connection>(this, *std::move(stream));
        Connection* const started = connection.get();
        // Its first request has mostly come with it: it is answered before another one is waited
        // for.
        group.spawn_now(
            Connection::run(std::move(connection)),
            [started](io::TaskGroup::Canceller canceller) {
                started->set_canceller(std::move(canceller));
            }
        );
    }
}

io::Task<> Server::State::close_websocket(std::shared_ptr<WebSocket> websocket) {
    co_await websocket->close(WebSocket::kGoingAway, "the server is stopping");
}

Server::Server(io::Runtime& runtime, const Router& router, ServerOptions options)
    : state_(std::make_unique<State>(runtime, router, std::move(options))) {}
Server::~Server() = default;

Result<void> Server::bind() {
    State& state = *state_;
    CHECK(!state.listener, "a server is bound once");
    if (state.options.tls) state.tls = TRY(io::TlsContext::server(*state.options.tls));
    state.listener = TRY(io::Listener::bind(
        state.executor, {.host = state.options.host,
                         .port = state.options.port,
                         .reuse_port = state.options.reuse_port}
    ));
    state.port = state.listener->local_port();
    return {};
}

Result<void> Server::start() {
    State& state = *state_;
    CHECK(state.handlers.empty(), "a server is started once");
    if (!state.listener) TRY(bind());
    for (const Route* route : state.router->routes())
        state.handlers.emplace(route, state.router->chain(route->handler));
    state.handlers.emplace(nullptr, state.router->chain([router = state.router](Request&& request) {
        return unrouted(std::move(request), router);
    }));
    if (state.options.metrics != nullptr)
        state.connections_gauge = &state.options.metrics->gauge(
            "penstock_http_connections", "Open connections of clients."
        );
    state.group.spawn(state.accept_loop());
    state.looking.spawn(state.departures.look_forever());
    return {};
}

std::uint16_t Server::local_port() const { return state_->port; }

std::string Server::url() const {
    const std::string& host = state_->options.host;
    return fmt::format(
        "{}://{}:{}", state_->tls ? "https" : "http", host.contains(':') ? "[" + host + "]" : host,
        state_->port
    );
}

std::size_t Server::connections() const { return state_->connections.size(); }

void Server::retire() {
    state_->retiring = true;
    if (state_->listener) state_->listener->close();
}

io::Task<bool> Server::drain(io::Deadline until) {
    State& state = *state_;
    state.stopping = true;
    if (state.listener) state.listener->close();
    const std::vector<Connection*> open(state.connections.begin(), state.connections.end());
    for (Connection* connection : open) connection->finish();
    co_return co_await state.group.drain(until);
}

io::Task<void> Server::stop(io::Deadline drain) {
    State& state = *state_;
    if (!co_await this->drain(drain)) {
        state.log.warning(
            "stopped with requests unfinished", {{"connections", state.connections.size()}}
        );
        bool waits = false;
        for (Connection* connection : state.connections) waits |= connection->let_go();
        if (waits) co_await state.group.drain(io::Deadline::after(kLastWords));
    }
    co_await state.group.close();
    co_await state.looking.close();
}

}  // namespace penstock::http
