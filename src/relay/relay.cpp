// SPDX-License-Identifier: Apache-2.0
#include "relay/relay.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <array>
#include <utility>

#include "http/client.h"
#include "http/problem.h"
#include "http/url.h"
#include "relay/engine_set.h"

namespace penstock::relay {
namespace {

constexpr std::string_view kBearer = "Bearer ";
constexpr std::array<std::string_view, 2> kPassedOn{"/v1/{path...}", "/api/{path...}"};
constexpr std::array<std::string_view, 5> kMethods{"GET", "POST", "PUT", "PATCH", "DELETE"};
// Said by whoever asks, of itself: never passed on.
constexpr std::array<std::string_view, 3> kOwnOfCaller{"Authorization", "x-api-key", "Cookie"};
constexpr std::array<std::string_view, 3> kOwnOfEngine{"Set-Cookie", "Date", "Server"};

bool equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view shown_key(const http::Headers& headers) {
    const std::string_view authorization = headers.get("Authorization");
    if (authorization.size() > kBearer.size() &&
        http::equal_ignoring_case(authorization.substr(0, kBearer.size()), kBearer))
        return authorization.substr(kBearer.size());
    return headers.get("x-api-key");
}

io::Task<Result<std::string>> next_piece(http::BodyReader* reader) {
    const std::string_view piece = CO_TRY(co_await reader->read());
    co_return std::string(piece);
}

// The body of one request: whole where it is short, else read while it is sent.
struct Body {
    std::string text;
    bool kept = true;
    std::optional<std::uint64_t> length;
};

std::optional<std::uint64_t> announced(const http::Headers& headers) {
    const auto text = headers.find("Content-Length");
    if (!text) return std::nullopt;
    std::uint64_t length = 0;
    for (const char digit : *text) length = length * 10 + static_cast<std::uint64_t>(digit - '0');
    return length;  // the parser has judged it
}

http::Response refuse(
    const http::Request& request, ErrorCode code, std::string message, int status = 0
) {
    return http::problem_response({code, std::move(message), {}}, request, status);
}

}  // namespace

struct Relay::State {
    State(RelayOptions options_given, Parts parts_given)
        : options(std::move(options_given)),
          parts(std::move(parts_given)),
          engines(options.engines.size()),
          client(
              parts.runtime, {.idle_timeout = 90s, .idle_per_origin_max = 256, .idle_max = 16'384}
          ),
          failures(parts.metrics.counter(
              "penstock_relay_engine_failures_total",
              "Engines that could not be reached or closed without an answer."
          )) {}

    RelayOptions options;
    Parts parts;
    EngineSet engines;
    http::Client client;
    telemetry::Counter& failures;
    std::int64_t in_flight = 0;  // at engines
    std::int64_t reading = 0;    // bodies that are kept meanwhile

    io::Task<http::Response> pass(http::Request request);
    std::optional<http::Response> why_not(const http::Request& request) const;
    http::ClientRequest request_to(std::size_t engine, http::Request& request, Body& body);
    io::Task<http::Response> ask_one_after_another(http::Request* request, Body body);
};

namespace {

// A request whose body is being read: it has its place before it has an engine.
class Reading {
  public:
    explicit Reading(std::int64_t& count) : count_(count) { ++count_; }
    ~Reading() { --count_; }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

  private:
    std::int64_t& count_;
};

// A request in flight at one engine, until its answer's last byte.
class Visit {
  public:
    Visit(Relay::State* relay, std::size_t engine) : relay_(relay), engine_(engine) {
        ++relay_->in_flight;
    }
    Visit(Visit&& other) noexcept
        : relay_(std::exchange(other.relay_, nullptr)), engine_(other.engine_) {}
    Visit& operator=(Visit&&) = delete;
    ~Visit() {
        if (relay_ == nullptr) return;
        relay_->engines.finish(engine_);
        --relay_->in_flight;
    }
    std::size_t engine() const { return engine_; }

  private:
    Relay::State* relay_;
    std::size_t engine_;
};

struct Answer {
    http::ResponseStream from;
    Visit visit;
    Duration read_timeout;
    std::string first;  // of its body, which has come with the header
};

// What an answer begins with goes before the pieces of others that run.
io::Task<Result<std::size_t>> wait_for_more(Answer* answer, bool begun) {
    const io::Deadline deadline = io::Deadline::after(answer->read_timeout);
    return begun ? answer->from.wait_for_piece(deadline) : answer->from.wait(deadline);
}

io::Task<void> pass_on(Answer* answer, http::BodyWriter to) {
    bool begun = !answer->first.empty();
    if (begun && !co_await to.write(std::exchange(answer->first, {}))) co_return;
    for (;; begun = true) {
        std::optional<Result<std::string_view>> piece = answer->from.read_now();
        if (!piece) to.push();
        while (!piece) piece = answer->from.take(co_await wait_for_more(answer, begun));
        if (!*piece) co_return to.abort();
        if ((*piece)->empty()) co_return;
        std::optional<Result<void>> written = to.write_now(**piece);
        if (!written) written = co_await to.flush();
        if (!*written) co_return;
    }
}

io::Task<bool> pass_on_whole(Answer* answer, http::BodyWriter to) {
    co_await pass_on(answer, to);
    co_return true;
}

// The engine stops working when nobody listens any more: with the answer its connection closes.
io::Task<void> stream(
    std::unique_ptr<Answer> answer, http::BodyWriter to, http::ClientWatch client
) {
    if (!co_await client.unless_gone(pass_on_whole(answer.get(), to))) to.abort();
}

// What has come with the header; true: all of it.
Result<bool> take_first(Answer& answer) {
    while (std::optional<Result<std::string_view>> piece = answer.from.read_now()) {
        if (!*piece) return std::unexpected(std::move(piece->error()));
        if ((*piece)->empty()) return true;
        answer.first += **piece;
    }
    return false;
}

http::Response response_of(std::unique_ptr<Answer> answer, http::ClientWatch client) {
    http::Response response{.status = answer->from.status(), .headers = answer->from.headers()};
    response.headers.remove_hop_by_hop();
    for (const std::string_view name : kOwnOfEngine) response.headers.remove(name);
    const Result<bool> whole = take_first(*answer);
    if (whole && *whole) {
        response.body = std::move(answer->first);
        return response;
    }
    answer->from.forget_headers();
    response.body = [answer = std::move(answer), client](http::BodyWriter writer) mutable {
        return stream(std::move(answer), writer, client);
    };
    return response;
}

io::Task<std::optional<Body>> body_of(http::Request* request) {
    if (std::optional<std::string> here = request->reader.read_all_now())
        co_return Body{.text = *std::move(here)};
    Body body{.kept = false, .length = announced(request->headers)};
    if (!body.length && !request->headers.contains("Transfer-Encoding")) co_return Body{};
    if (!body.length || *body.length > Relay::kBodyKeptMax) co_return body;
    Result<std::string> text = co_await request->reader.read_all();
    if (!text) co_return std::nullopt;
    co_return Body{.text = *std::move(text)};
}

}  // namespace

std::optional<http::Response> Relay::State::why_not(const http::Request& request) const {
    if (!options.key.empty() && !equal(shown_key(request.headers), options.key))
        return refuse(
            request, ErrorCode::unauthenticated,
            "this relay's key is missing or wrong; send it as 'Authorization: Bearer …' or "
            "'x-api-key: …'"
        );
    if (in_flight + reading >= static_cast<std::int64_t>(options.calls_max)) {
        http::Response busy = refuse(
            request, ErrorCode::unavailable,
            fmt::format("this relay carries {} requests, as many as it may", options.calls_max)
        );
        busy.headers.set("Retry-After", "1");
        return busy;
    }
    return std::nullopt;
}

http::ClientRequest Relay::State::request_to(
    std::size_t engine, http::Request& request, Body& body
) {
    http::ClientRequest asked{
        .method = request.method, .url = options.engines[engine] + request.target
    };
    asked.headers = request.headers;
    asked.headers.remove_hop_by_hop();
    for (const std::string_view name : kOwnOfCaller) asked.headers.remove(name);
    if (!options.engine_key.empty())
        asked.headers.set("Authorization", std::string(kBearer) + options.engine_key);
    asked.headers.set("X-Request-Id", request.request_id);
    if (body.kept)
        asked.body = body.text;
    else
        asked.body = http::BodySource{
            .read = [reader = &request.reader] { return next_piece(reader); }, .length = body.length
        };
    return asked;
}

io::Task<http::Response> Relay::State::pass(http::Request request) {
    if (std::optional<http::Response> refusal = why_not(request)) co_return *std::move(refusal);
    std::optional<Body> body;
    {
        const Reading here(reading);
        body = co_await body_of(&request);
    }
    if (!body)
        co_return refuse(
            request, ErrorCode::invalid_argument,
            fmt::format("the body is cut, slow, or larger than {} bytes", kBodyMax)
        );
    http::ClientWatch caller = request.client;
    // While a body is passed on, its reader sees the end of the caller.
    if (!body->kept) co_return co_await ask_one_after_another(&request, *std::move(body));
    std::optional<http::Response> response =
        co_await caller.unless_gone(ask_one_after_another(&request, *std::move(body)));
    constexpr int kNobodyWaits = 499;
    co_return response ? *std::move(response) : http::Response::empty(kNobodyWaits);
}

io::Task<http::Response> Relay::State::ask_one_after_another(http::Request* request, Body body) {
    const io::Deadline deadline = io::Deadline::after(options.answer_timeout);
    std::vector<std::size_t> tried;
    bool asked = false;
    while (tried.size() < kTriesMax) {
        const std::optional<std::size_t> engine =
            engines.begin(parts.random, parts.clock.monotonic(), tried);
        if (!engine) break;
        Visit visit(this, *engine);
        Result<http::ResponseStream> answer =
            co_await client.open(request_to(*engine, *request, body), deadline);
        if (answer) {
            engines.answered(*engine);
            co_return response_of(
                std::make_unique<Answer>(
                    *std::move(answer), std::move(visit), options.read_timeout, std::string()
                ),
                request->client
            );
        }
        asked = true;
        // What the error says of the engine is for the log: callers need not know where it is.
        parts.log.warning(
            "an engine could not be asked",
            {{"engine", options.engines[*engine]}, {"error", answer.error().message}}
        );
        if (answer.error().code == ErrorCode::deadline_exceeded)
            co_return refuse(
                *request, ErrorCode::deadline_exceeded,
                "the engine did not answer in time (--answer-timeout)"
            );
        failures.add();
        engines.failed(*engine, parts.clock.monotonic());
        if (!body.kept) break;
        tried.push_back(*engine);
    }
    const auto after =
        std::chrono::ceil<std::chrono::seconds>(engines.until_available(parts.clock.monotonic()));
    http::Response none = refuse(
        *request, ErrorCode::unavailable,
        asked ? "no engine of this relay answered; its log says why"
              : "no engine of this relay can be reached"
    );
    none.headers.set("Retry-After", std::to_string(std::max<std::int64_t>(1, after.count())));
    co_return none;
}

Result<std::unique_ptr<Relay>> Relay::open(RelayOptions options, Parts parts) {
    if (options.engines.empty() || options.engines.size() > EngineSet::kEnginesMax)
        return fail_field(
            ErrorCode::invalid_argument, "--engine",
            fmt::format(
                "{} engines were given; name at least one and at most {}", options.engines.size(),
                EngineSet::kEnginesMax
            )
        );
    for (std::string& engine : options.engines) {
        const Result<http::Url> url = http::parse_url(engine);
        if (!url || (url->scheme != "http" && url->scheme != "https") ||
            engine.find_first_of("?#") != std::string::npos)
            return fail_field(
                ErrorCode::invalid_argument, "--engine",
                "'" + engine + "' is no address of an engine: for instance http://10.0.0.7:8000"
            );
        while (engine.ends_with('/')) engine.pop_back();
    }
    if (!options.key.empty() && options.key.size() < kKeyBytesMin)
        return fail_field(
            ErrorCode::invalid_argument, "--key-file",
            fmt::format("the key has fewer than {} bytes, and could be guessed", kKeyBytesMin)
        );
    return std::unique_ptr<Relay>(
        new Relay(std::make_unique<State>(std::move(options), std::move(parts)))
    );
}

Relay::Relay(std::unique_ptr<State> state) : state_(std::move(state)) {
    State* const own = state_.get();
    own->parts.metrics.gauge_of(
        "penstock_relay_requests_in_flight", "Requests at engines, until their last byte.",
        [own] { return static_cast<double>(own->in_flight); }
    );
    own->parts.metrics.gauge_of(
        "penstock_relay_engines_available", "Engines that are not set aside.",
        [own] { return static_cast<double>(own->engines.available(own->parts.clock.monotonic())); }
    );
}
Relay::~Relay() = default;

void Relay::add_routes(http::Router& router) {
    for (const std::string_view pattern : kPassedOn)
        for (const std::string_view method : kMethods) {
            http::RouteOptions options;
            options.body_max = kBodyMax;
            options.stream_body = true;
            router.add(
                method, pattern,
                [own = state_.get()](http::Request request) {
                    return own->pass(std::move(request));
                },
                std::move(options)
            );
        }
}

bool Relay::ready() const { return state_->engines.available(state_->parts.clock.monotonic()) > 0; }

}  // namespace penstock::relay
