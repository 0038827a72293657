// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway.h"

#include <algorithm>

#include "base/check.h"
#include "gateway/authenticator.h"
#include "gateway/batch_runner.h"
#include "gateway/budget.h"
#include "gateway/call.h"
#include "gateway/call_cache.h"
#include "gateway/chat_completions.h"
#include "gateway/departed_calls.h"
#include "gateway/dialect_calls.h"
#include "gateway/drain.h"
#include "gateway/engine_ask.h"
#include "gateway/engine_loads.h"
#include "gateway/gateway_gauges.h"
#include "gateway/idempotency_log.h"
#include "gateway/idempotent_calls.h"
#include "gateway/left_streams.h"
#include "gateway/leftovers.h"
#include "gateway/load_reporter.h"
#include "gateway/model_list.h"
#include "gateway/ollama_models.h"
#include "gateway/outage.h"
#include "gateway/response_state.h"
#include "gateway/server_link.h"
#include "gateway/server_proxy.h"
#include "gateway/settler.h"
#include "gateway/span_exporter.h"
#include "gateway/spool.h"
#include "gateway/status_reporter.h"
#include "gateway/tokenizer_shelf.h"
#include "gateway/unknown_path.h"
#include "http/router.h"
#include "io/pool.h"
#include "io/runtime.h"
#include "io/task_group.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {
namespace {

constexpr Duration kRoutesBackOffFirst = 200ms;
constexpr Duration kRoutesBackOffMax = 5s;
// To make a connection for a call costs it a tenth of a millisecond before its first token.
const http::ClientOptions kEngineConnections{
    .connect_timeout = kEngineConnectMax,
    .idle_timeout = 90s,
    .idle_per_origin_max = 256,
    .idle_max = 4096
};

Result<void> check_options(const GatewayOptions& options) {
    const auto wrong = [](std::string field, std::string message) {
        return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
    };
    if (!http::parse_url(options.server_url))
        return wrong("server_url", "expected an http or https address");
    if (options.key.empty()) return wrong("key", "a key of scope 'gateway' is needed");
    if (options.replica.empty())
        return wrong("replica", "expected a name that no other gateway of the platform has");
    if (options.state_dir.empty())
        return wrong("state_dir", "expected a folder for the record of calls");
    if (options.output_tokens_default < 1 ||
        options.output_tokens_default > routing::kOutputTokensMax)
        return wrong(
            "output_tokens_default", "expected 1 to " + std::to_string(routing::kOutputTokensMax)
        );
    if (options.lease_amount <= Money()) return wrong("lease_amount", "expected more than nothing");
    return {};
}

}  // namespace

// Everything the gateway is made of, wired; members are destroyed in reverse, so what is borrowed
// comes first.
class Gateway::State {
  public:
    struct Records {
        std::unique_ptr<IdempotencyLog> idempotency;
        std::unique_ptr<Spool> spool;
        std::optional<OutageSnapshot> left;
    };
    State(GatewayOptions options, const Dependencies& with, Records records)
        : options_(std::move(options)),
          runtime_(with.runtime),
          clock_(with.clock),
          random_(with.random),
          pool_(with.pool),
          log_(with.log.component("gateway")),
          registry_(with.metrics),
          metrics_(with.metrics),
          idempotency_(std::move(records.idempotency)),
          spool_(std::move(records.spool)),
          tasks_(with.runtime.executor(), "gateway"),
          server_(with.runtime, options_.server_url, options_.key),
          proxy_(with.runtime, options_.server_url),
          upstream_(with.runtime, kEngineConnections),
          ids_(with.random),
          authenticator_(with.runtime.executor(), tasks_, server_, with.clock),
          outage_file_(
              with.runtime.executor(), with.pool, log_, snapshot_path(options_, options_.spool)
          ),
          budget_(
              with.runtime.executor(), tasks_, server_, with.clock, with.random, log_,
              {options_.replica, options_.lease_amount}
          ),
          settler_(
              {*spool_, server_, budget_, metrics_, with.clock, with.random, with.pool,
               &outage_file_},
              log_, options_.replica, options_.state_dir / "refused.jsonl"
          ),
          outage_(
              {outage_file_, *spool_, budget_, authenticator_, server_, with.pool, with.clock, log_,
               options_},
              std::move(records.left)
          ),
          engine_loads_(
              with.runtime.executor(), {upstream_, endpoints_, tasks_, with.clock, with.random}
          ),
          spans_(
              with.runtime.executor(), upstream_, {options_.spans_url, options_.replica}, log_,
              with.metrics
          ),
          tokenizers_(server_, log_, with.metrics),
          held_(with.runtime.executor(), endpoints_, loads_, options_),
          reporter_(
              {loads_, held_, endpoints_, server_, routes_version_, options_, log_},
              ids_.next<RunId>(with.clock.now())
          ),
          calls_{*spool_,  opened_,    budget_,        endpoints_,     departed_, answer_room_,
                 metrics_, with.clock, calls_running_, requests_open_, loads_,    tokenizers_,
                 log_,     draining_,  left_streams_,  spans_,         stopping_, ids_},
          cache_(calls_, ids_, with.metrics),
          attempts_({with.runtime.executor(), calls_, upstream_, ids_, with.random, options_}),
          continuations_{calls_, upstream_, ids_, with.random, with.metrics},
          chat_(
              {calls_, authenticator_, attempts_, upstream_, ids_, with.random, options_,
               routes_known_, held_, cache_, continuations_}
          ),
          converted_(
              {calls_, authenticator_, attempts_, upstream_, ids_, with.random, options_,
               routes_known_, held_, cache_, continuations_}
          ),
          state_(authenticator_, server_),
          idempotent_(
              {calls_, authenticator_, *idempotency_, ids_, with.pool, options_, with.metrics}
          ),
          batches_(
              {calls_, chat_, converted_, held_, server_, tasks_, options_, routes_known_, log_,
               with.metrics, outage_file_},
              with.runtime.executor(), ids_.next<RunId>(with.clock.now())
          ),
          drain_(
              {draining_, budget_, *spool_, held_, batches_, calls_running_, requests_open_, log_}
          ),
          status_(
              {calls_, held_, batches_, drain_, server_, routes_version_, routes_known_,
               refused_routes_, options_, log_},
              ids_.next<RunId>(with.clock.now())
          ),
          models_(authenticator_, endpoints_, loads_, with.clock),
          ollama_models_(authenticator_, endpoints_, loads_) {
        chat_.convert_with(converted_);
        converted_.keep_with(state_);
        budget_.keep_in(outage_file_);
    }

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void register_routes(http::Router& router) {
        router.use(answer_unknown_path);
        router.add(
            "POST", "/v1/chat/completions",
            idempotent_.before(
                dialects::Dialect::chat,
                [this](http::Request&& r) { return chat_.serve(std::move(r)); }
            ),
            {.body_max = options_.request_body_max,
             .stream_body = true,
             .operation = "createChatCompletion",
             .summary = "Answer a chat with a model, streamed or whole (OpenAI's API)"}
        );
        router.add(
            "GET", "/v1/models", [this](http::Request r) { return models_.list(std::move(r)); },
            {.operation = "listTokenModels",
             .summary = "The models that can be asked now (OpenAI's API)"}
        );
        register_dialects(router);
        if (options_.passes_on) proxy_.add_routes(router);
        // Names of models contain slashes.
        router.add(
            "GET", "/v1/models/{id...}",
            [this](http::Request r) { return models_.get(std::move(r)); },
            {.operation = "getModel", .summary = "One model and its suppliers (OpenAI's API)"}
        );
    }

    void register_dialects(http::Router& router) {
        using dialects::Dialect;
        const auto add = [&](const char* path, const char* operation, const char* summary,
                             http::Handler handler) {
            router.add(
                "POST", path, std::move(handler),
                {.body_max = options_.request_body_max,
                 .stream_body = true,
                 .operation = operation,
                 .summary = summary}
            );
        };
        add("/v1/responses", "createResponse", "Answer a model's input (OpenAI's Responses API)",
            idempotent_.before(Dialect::responses, [this](http::Request&& r) {
                return converted_.serve(std::move(r), Dialect::responses);
            }));
        add("/v1/messages", "createMessage", "Answer a chat with a model (Anthropic's API)",
            idempotent_.before(Dialect::anthropic, [this](http::Request&& r) {
                return converted_.serve(std::move(r), Dialect::anthropic);
            }));
        add("/v1/messages/count_tokens", "countTokens", "Tokens of a request (Anthropic's API)",
            [this](http::Request r) { return converted_.count_tokens(std::move(r)); });
        add("/api/chat", "ollamaChat", "Answer a chat with a model (Ollama's API)",
            idempotent_.before(Dialect::ollama, [this](http::Request&& r) {
                return converted_.serve(std::move(r), Dialect::ollama);
            }));
        add("/v1/embeddings", "createEmbedding", "Vectors of texts (OpenAI's API)",
            idempotent_.before(Dialect::chat, [this](http::Request&& r) {
                return converted_.serve_embeddings(std::move(r), Dialect::chat);
            }));
        add("/api/embed", "ollamaEmbed", "Vectors of texts (Ollama's API)",
            idempotent_.before(Dialect::ollama, [this](http::Request&& r) {
                return converted_.serve_embeddings(std::move(r), Dialect::ollama);
            }));
        add("/api/show", "ollamaShow", "One model (Ollama's API)",
            [this](http::Request r) { return ollama_models_.show(std::move(r)); });
        router.add(
            "GET", "/api/tags",
            [this](http::Request r) { return ollama_models_.list(std::move(r)); },
            {.operation = "ollamaTags", .summary = "The models that can be asked now (Ollama's API)"
            }
        );
    }

    void start() {
        started_ = true;
        committing_.spawn(spool_->commit_forever());
        committing_.spawn(idempotency_->sync_forever(&pool_, runtime_.executor()));
        if (outage_.has_left())
            tasks_.spawn(begin());
        else
            serve();
    }

    io::Task<void> hand_over() { return outage_.hand_over(); }
    bool may_hand_over() const { return !outage_.must_finish() && !settles_left_; }

    // What an earlier process left for an outage is looked at first.
    io::Task<void> begin() {
        co_await outage_.begin([this](RouteTable table) { apply(std::move(table)); });
        serve();
    }

    // Until it is over both slots are in use, and no third process has one.
    io::Task<void> settle_left(Leftovers left) {
        settles_left_ = true;
        co_await settle_what_is_left(std::move(left));
        settles_left_ = false;
    }

    io::Task<void> settle_in_order() {
        co_await outage_.until_left_is_settled();
        co_await settler_.settle_forever();
    }

    void serve() {
        tasks_.spawn(settle_in_order());
        tasks_.spawn(outage_.watch_forever());
        tasks_.spawn(budget_.renew_forever());
        tasks_.spawn(follow_routes());
        tasks_.spawn(engine_loads_.ask_forever());
        tasks_.spawn(spans_.send_forever());
        tasks_.spawn(reporter_.report_forever());
        tasks_.spawn(status_.report_forever());
        if (!options_.spool_before.empty())
            tasks_.spawn(settle_left(
                {.executor = runtime_.executor(),
                 .parts = {*spool_, server_, budget_, metrics_, clock_, random_, pool_},
                 .log = log_,
                 .folder = options_.state_dir / options_.spool_before,
                 .bytes_max = options_.spool_bytes_max,
                 .replica = options_.replica_before,
                 .refused_file = options_.state_dir / "refused.jsonl",
                 .idempotency = idempotency_.get(),
                 .snapshot = snapshot_path(options_, options_.spool_before),
                 .outage = &outage_}
            ));
        tasks_.spawn(tokenizers_.load_forever());
        tasks_.spawn(batches_.tell_uses_forever());
        tasks_.spawn(batches_.claim_forever());
        tasks_.spawn(batches_.report_forever());
        tasks_.spawn(refresh_gauges(
            {calls_running_, held_, budget_, *spool_, endpoints_, authenticator_, idempotent_,
             clock_},
            &registry_
        ));
    }

    void begin_stop() { stopping_ = true; }
    io::Task<void> stop(io::Deadline drain) {
        // The settler's own task is ended first: two would read the spool at once.
        co_await tasks_.close();
        if (!co_await spool_->flush(drain))
            log_.error("records of calls could not be made durable in time");
        if (!co_await settler_.drain(drain))
            log_.warning("calls stay in the spool; the next start settles them");
        co_await spans_.flush(drain);
        // What is settled is known to the server: the rest of the allowances is free.
        if (!spool_->has_unsettled()) co_await budget_.give_back(drain);
        co_await outage_.keep();
        co_await committing_.close();
        spool_->close();
        started_ = false;
    }

    bool ready() const { return routes_known_ && spool_->has_room(); }
    bool draining() const { return draining_; }
    std::int64_t routes_version() const { return routes_version_; }
    bool started() const { return started_; }

  private:
    // Keeps the last good table while the server is away.
    io::Task<void> follow_routes() {
        Duration back_off = kRoutesBackOffFirst;
        while (true) {
            Result<RouteTable> table = co_await server_.routes(routes_version_);
            if (table) {
                back_off = kRoutesBackOffFirst;
                if (!routes_known_ || table->version != routes_version_) apply(*std::move(table));
                authenticator_.on_told();
                continue;
            }
            budget_.find_out();
            log_.warning(
                "routes cannot be fetched; the last ones stay in use",
                {{"error", to_string(table.error())}}
            );
            co_await io::sleep_for(Duration(static_cast<std::int64_t>(
                random_.below(static_cast<std::uint64_t>(back_off.count())) + 1
            )));
            back_off = std::min(back_off * 2, kRoutesBackOffMax);
        }
    }

    void apply(RouteTable table) {
        routes_version_ = table.version;
        routes_known_ = true;
        outage_.on_routes(table);
        for (const std::string& hash : table.revoked_key_hashes)
            authenticator_.cache().revoke(hash, clock_.now());
        for (const std::string& hash : table.changed_key_hashes)
            authenticator_.cache().renew(hash, clock_.now());
        drain_.tell(
            std::ranges::find(table.draining, gateway_name(options_.replica)) !=
            table.draining.end()
        );
        std::set<std::string> tokenizers;
        for (const Route& route : table.routes)
            if (route.endpoint.tokenizer_sha256)
                tokenizers.insert(*route.endpoint.tokenizer_sha256);
        tokenizers_.want(std::move(tokenizers));
        batches_.on_routes(table.routes);
        engine_loads_.replace(table.routes);
        refused_routes_ = endpoints_.replace(std::move(table.routes));
        for (const std::string& refused : refused_routes_)
            log_.warning("a route cannot be used", {{"reason", refused}});
        loads_.replace(std::move(table.elastic));
        held_.on_routes();
        log_.info(
            "routes applied", {{"version", routes_version_}, {"models", endpoints_.models().size()}}
        );
    }

    GatewayOptions options_;
    io::Runtime& runtime_;
    const Clock& clock_;
    Random& random_;
    io::Pool& pool_;
    telemetry::Logger log_;
    telemetry::Registry& registry_;
    GatewayMetrics metrics_;
    std::unique_ptr<IdempotencyLog> idempotency_;
    std::unique_ptr<Spool> spool_;
    io::TaskGroup committing_{runtime_.executor(), "gateway spool"};
    io::TaskGroup tasks_;
    ServerLink server_;
    ServerProxy proxy_;
    http::Client upstream_;
    IdSource ids_;
    routing::EndpointPool endpoints_;
    LoadMeter loads_;
    DepartedCalls departed_;
    AnswerRoom answer_room_;
    LeftStreams left_streams_{registry_};
    Authenticator authenticator_;
    OutageFile outage_file_;
    Budget budget_;
    Settler settler_;
    Outage outage_;
    EngineLoads engine_loads_;
    std::int64_t calls_running_ = 0;
    std::int64_t requests_open_ = 0;
    std::int64_t routes_version_ = 0;
    bool routes_known_ = false;
    bool draining_ = false;
    bool stopping_ = false;
    bool settles_left_ = false;  // what the process before has left, or may still leave
    std::vector<std::string> refused_routes_;  // why
    bool started_ = false;
    SpanExporter spans_;
    TokenizerShelf tokenizers_;
    HeldCalls held_;
    LoadReporter reporter_;
    OpenedCalls opened_{runtime_.executor()};
    CallParts calls_;
    CallCache cache_;
    Attempts attempts_;
    ContinuationParts continuations_;
    ChatCompletions chat_;
    DialectCalls converted_;
    ResponseState state_;
    IdempotentCalls idempotent_;
    BatchRunner batches_;
    Drain drain_;
    StatusReporter status_;
    ModelList models_;
    OllamaModels ollama_models_;
};

Result<std::unique_ptr<Gateway>> Gateway::open(GatewayOptions options, Dependencies dependencies) {
    TRY(check_options(options));
    const Time now = dependencies.clock.now();
    State::Records records;
    records.idempotency = TRY(IdempotencyLog::open(
        dependencies.log.component("idempotency"),
        {.directory = options.state_dir / "idempotency", .owner = options.spool}, now
    ));
    IdempotencyLog& idempotency = *records.idempotency;
    IdempotencyLog::Findings findings(idempotency);
    LeftSnapshot left(
        snapshot_path(options, options.spool), options.replica,
        dependencies.log.component("gateway")
    );
    records.spool = TRY(Spool::open(
        dependencies.runtime.executor(), dependencies.pool, dependencies.log.component("spool"),
        {.directory = options.state_dir / options.spool,
         .bytes_max = options.spool_bytes_max,
         .on_record =
             [&](const CallRecord& record, std::uint64_t segment) {
                 findings.add(record);
                 left.add(record, segment);
             }},
        now
    ));
    records.left = left.take(now);
    // Left to a process that did not take it: its leases are not this one's.
    TRY(remove_durably(handed_path(options, options.spool)));
    // Only now: the spool's lock says that no other process of this name lives.
    idempotency.resolve(options.spool, findings, now);
    idempotency.resolve_all_but({options.spool, options.spool_before}, now);
    return std::unique_ptr<Gateway>(
        new Gateway(std::make_unique<State>(std::move(options), dependencies, std::move(records)))
    );
}

Gateway::Gateway(std::unique_ptr<State> state) : state_(std::move(state)) {}
Gateway::~Gateway() { CHECK(!state_->started(), "stop() ends what start() began"); }
void Gateway::register_routes(http::Router& router) { state_->register_routes(router); }
void Gateway::start() { state_->start(); }
void Gateway::begin_stop() { state_->begin_stop(); }
io::Task<void> Gateway::hand_over() { return state_->hand_over(); }
bool Gateway::may_hand_over() const { return state_->may_hand_over(); }
io::Task<void> Gateway::stop(io::Deadline drain) { return state_->stop(drain); }
bool Gateway::ready() const { return state_->ready(); }
bool Gateway::draining() const { return state_->draining(); }
std::int64_t Gateway::routes_version() const { return state_->routes_version(); }

}  // namespace penstock::gateway
