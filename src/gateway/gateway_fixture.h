// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gateway/gateway.h"
#include "http/client.h"
#include "http/router.h"
#include "http/server.h"
#include "io/event.h"
#include "io/pool.h"
#include "io/runtime.h"
#include "model/allowance.h"
#include "model/batch.h"
#include "model/endpoint.h"
#include "model/gateway_status.h"
#include "model/response_state.h"
#include "model/service_load.h"
#include "routing/allowance_authority.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

// For tests: a scripted server, scripted engines and a gateway between them, all on one loop, over
// real sockets on 127.0.0.1.
namespace penstock::gateway {

// What an engine answers to each chat request.
struct EngineScript {
    int status = 200;
    std::string content_type = "text/event-stream";
    http::Headers headers = {};
    std::vector<std::string> pieces = {};                             // one write each
    enum class End { whole, cut, hang, when_told } end = End::whole;  // when_told: see cut()
    std::vector<std::string> rest = {};  // when_told: written then, and the answer is whole
    bool silent = false;                 // never answers
};

// A small chat for model "m", and an engine that answers one whole with 13 tokens.
inline constexpr std::string_view kChat =
    R"({"model":"m","messages":[{"role":"user","content":"hello there, engine"}],"max_tokens":50})";
EngineScript whole_answer();
// A tokenizer.json of the tokenizer module's tests.
std::string tokenizer_file();

class ScriptedEngine {
  public:
    ScriptedEngine(io::Runtime& runtime, EngineScript script);
    std::string url() const { return server_->url(); }
    io::Task<void> stop();
    // Of answers that end when they are told to: how many wait for that, and the word to be cut.
    std::size_t waiting() const { return told_.waiting(); }
    void cut() { told_.notify_all(); }

    EngineScript script;
    std::deque<EngineScript> before;  // of the first requests, one each
    std::vector<http::Request> requests;
    int answers_abandoned = 0;  // the gateway closed its connection while the engine was answering
    std::optional<std::string> metrics;  // what it tells of itself; nothing: 404
    int metrics_asked = 0;
    std::string metrics_key;  // the Authorization of the last question

  private:
    io::Task<http::Response> tell_metrics(http::Request request);
    io::Task<http::Response> serve(http::Request request);
    io::Task<void> write_answer(
        EngineScript answer, http::BodyWriter writer, http::ClientWatch client
    );
    io::Runtime& runtime_;
    io::Event told_;
    http::Router router_;
    std::unique_ptr<http::Server> server_;
};

// The platform's server as the gateway sees it: one wallet, one key with its limits.
class ScriptedServer {
  public:
    explicit ScriptedServer(io::Runtime& runtime);
    std::string url() const { return server_->url(); }
    io::Task<void> stop();
    void set_routes(std::vector<Route> routes, std::vector<std::string> revoked = {});

    std::int64_t routes_version() const { return table_.version; }
    // Gateways learn with the next set_routes() that they are to ask again.
    void set_key_settings(std::optional<CallSettings> settings);

    static constexpr std::string_view kKey = "sk-consumer-key-of-the-test";
    OrganisationId organisation_id{RawId{1, 1}};
    Money wallet = Money::micro(100'000'000);
    Duration lease_lives = 1h;
    bool away = false;  // answers 503 to everything
    bool may_use_tokens = true;
    std::optional<Limits> key_limits;
    std::map<std::string, Units> limits;  // by the measure in quotes: what the authority allows
    Duration cache_keys_for = 5min;
    ErrorCode refuse_settlements =
        ErrorCode::internal;  // unless internal: this error for bad_model's records
    std::string bad_model;

    std::map<std::string, std::string> blobs;  // by the name they are asked for with
    std::vector<ElasticRoute> elastic;         // of the next set_routes()
    std::vector<ReportLoads> loads;            // as they came
    std::vector<std::string> draining;         // likewise: of the next set_routes()
    std::vector<std::string> changed_keys;     // likewise, by their hashes
    std::optional<ReportGateway> status;       // the last one
    std::vector<GatewayState> states;          // of all of them
    bool wants_details = false;                // in the next one

    std::string said = "[]";               // before any turn
    std::vector<KeepTurn> kept;            // as they came
    int answers_lost = 0;                  // of the next turns, which are kept
    std::vector<ReportUses> uses;          // as they came
    std::vector<ClaimedLine> lines;        // for who asks next, where it has room
    std::vector<ClaimLines> claims;        // as they came
    std::vector<LineReport> line_reports;  // likewise
    bool takes = true;                     // turns and reports of lines

    std::map<RequestId, CallRecord> records;   // of calls
    std::map<RequestId, CallRecord> attempts;  // beside those: of attempts that are none's own
    int repeated = 0;
    int keys_asked = 0;
    int keys_asked_in_vain = 0;  // while it was away
    bool keys_wait = false;      // until answer_keys()
    void answer_keys();
    bool leases_wait = false;  // of who asks then, until the routes change
    int leases_asked = 0;
    int leases_asked_in_vain = 0;
    Money granted_most;
    Units reserved() const;  // of the wallet, by all leases

  private:
    io::Task<http::Response> routes(http::Request request);
    io::Task<http::Response> blob(http::Request request);
    io::Task<http::Response> resolve(http::Request request);
    io::Task<http::Response> lease(http::Request request);
    io::Task<http::Response> take_loads(http::Request request);
    io::Task<http::Response> take_status(http::Request request);
    io::Task<http::Response> settle(http::Request request);
    io::Task<http::Response> expand(http::Request request);
    io::Task<http::Response> keep(http::Request request);
    io::Task<http::Response> take_uses(http::Request request);
    io::Task<http::Response> claim(http::Request request);
    io::Task<http::Response> take_lines(http::Request request);
    io::Task<http::Response> guarded(http::Request request, http::Next next);
    Units used_of(Measure measure) const;
    void draw(const CallRecord& call);

    io::Event changed_;
    std::optional<CallSettings> key_settings_;
    RouteTable table_;
    routing::AllowanceAuthority authority_;
    http::Router router_;
    std::unique_ptr<http::Server> server_;
};

Route route_to(std::string url, std::string model, std::uint64_t number = 1);

struct ClientAnswer {
    int status = 0;
    http::Headers headers;
    std::string body;
    bool cut = false;  // the connection ended before the body did
};

// The system's, `ahead` of it.
struct ShiftedClock final : Clock {
    Time now() const override { return system.now() + ahead; }
    Duration monotonic() const override { return system.monotonic() + ahead; }
    SystemClock system;
    Duration ahead{0};
};

struct Fixture {
    explicit Fixture(GatewayOptions changes = {});
    ~Fixture();

    // A chat request with the test's key; the whole answer.
    ClientAnswer ask(std::string body, http::Headers headers = {});
    ClientAnswer ask_path(std::string method, const std::string& path, std::string body = {});
    // The same at another path.
    ClientAnswer ask_at(std::string path, std::string body, http::Headers headers = {});
    io::Task<ClientAnswer> ask_task(
        std::string body, http::Headers headers = {}, std::string path = "/v1/chat/completions"
    );
    // Reads until `events` of the stream (or what is left of them by the gateway) came, then
    // closes.
    void leave_after(std::string body, std::size_t events);
    // Waits until the server has `count` records; the last one by id.
    void wait_for_records(std::size_t count);
    // Bounded: fails the test when it takes longer than ten seconds.
    void wait_until(std::function<bool()> condition, std::string_view what);
    std::string metrics() const { return registry.render(); }
    void add_engine(EngineScript script, std::string model = "m", std::string protocol = "openai");
    void apply_routes();
    // All endpoints under new ids, so that nothing is held against them.
    void renew_endpoints();
    void restart_gateway();
    void start_gateway();
    void stop_gateway(Duration drain = 5s);

    std::filesystem::path folder;
    io::Runtime runtime;
    io::Pool pool{1};
    ShiftedClock clock;
    SeededRandom random{42};
    telemetry::Logger log;
    telemetry::Registry registry;
    ScriptedServer server;
    std::vector<std::unique_ptr<ScriptedEngine>> engines;
    std::vector<Route> routes;
    GatewayOptions options;
    std::unique_ptr<Gateway> gateway;
    std::unique_ptr<http::Router> router;
    std::unique_ptr<http::Server> front;
    http::Client client;
    std::string key{ScriptedServer::kKey};
    std::uint64_t renewed = 0;
};

}  // namespace penstock::gateway
