// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/money.h"
#include "base/random.h"
#include "base/time.h"
#include "io/deadline.h"
#include "io/task.h"

namespace penstock::http {
class Router;
}
namespace penstock::io {
class Pool;
class Runtime;
}  // namespace penstock::io
namespace penstock::telemetry {
class Logger;
class Registry;
}  // namespace penstock::telemetry

namespace penstock::gateway {

struct GatewayOptions {
    std::string server_url;           // of the platform's server: "http://127.0.0.1:8080"
    std::string key;                  // of scope `gateway`; never logged
    std::string replica = "gateway";  // stable name: the leases and the spool belong to it
    std::string region;               // where it stands; empty: not told
    std::filesystem::path state_dir;  // the spool lives in it; one process at a time in each
    std::string spool = "spool";      // folder within state_dir
    // Where another process of this gateway, which this one takes over from, keeps its records:
    // what it leaves unsettled is settled when it has ended. Empty: none.
    std::string spool_before;
    std::string replica_before;
    bool takes_over = false;  // that process still serves

    Duration deadline_default = 10min;          // of one call, all attempts together
    Duration deadline_max = 1h;                 // the most that x-penstock-timeout can ask for
    std::int64_t output_tokens_default = 4096;  // asked of the engine where the client set no bound
    std::size_t request_body_max = 8UL * 1024 * 1024;    // above: 413
    std::size_t response_body_max = 32UL * 1024 * 1024;  // of an unstreamed answer; above: 502
    std::size_t calls_max = 4096;                        // in flight; above: 503
    // Unsettled records; above: 503. An hour of 2,000 calls a second takes 10 GB.
    std::uint64_t spool_bytes_max = 12ULL * 1024 * 1024 * 1024;
    // Calls that wait for the first replica of a service: above, 503.
    std::size_t held_calls_max = 256;                 // of one model
    std::size_t held_bytes_max = 64UL * 1024 * 1024;  // of all their requests
    // A streamed call whose first token is later than 95 % of its model's may be tried at a second
    // engine as well; the platform pays whoever loses.
    bool hedge = false;
    // Of calls without a trace of their own, one in so many is traced and logged; 0: none.
    std::uint32_t log_one_in = 0;
    // A collector of OpenTelemetry's that is sent their spans (OTLP over HTTP); empty: none.
    std::string spans_url;
    Duration hold_max = 10min;  // the most that a service or x-penstock-wait can ask for
    // The server is another process: what it answers itself of the token API is passed on to it.
    bool passes_on = false;
    Money lease_amount =
        Money::micro(1'000'000);  // what a lease is filled up to; small ones for small wallets
};

// The data plane for tokens: authenticate, scan, reserve, choose, proxy, meter, settle. It serves
// OpenAI's chat API and knows the platform by HTTP only, so it runs beside the server in one
// process or alone. All of it lives on the runtime's thread; disk work goes to the pool.
//     auto gateway = TRY(Gateway::open(options, {runtime, pool, clock, random, log, metrics}));
//     gateway->register_routes(router);
//     server.start(); gateway->start(); … co_await server.drain(drain); gateway->begin_stop();
//     co_await server.stop(drain); co_await gateway->stop(drain);
class Gateway {
  public:
    // What the gateway borrows; everything outlives it.
    struct Dependencies {
        io::Runtime& runtime;
        io::Pool& pool;  // at least one thread: the spool's fsync
        const Clock& clock;
        Random& random;
        const telemetry::Logger& log;
        telemetry::Registry& metrics;
    };

    // Reads the spool that an earlier process left (blocking): what was not settled will be.
    static Result<std::unique_ptr<Gateway>> open(GatewayOptions options, Dependencies dependencies);
    // CHECKs that stop() has run if start() has.
    ~Gateway();

    // POST /v1/chat/completions, /v1/responses, /v1/messages, /v1/messages/count_tokens,
    // /v1/embeddings, /api/chat, /api/embed and /api/show; GET /v1/models, /v1/models/{id} and
    // /api/tags. Other paths of the token API answer 404 in OpenAI's error shape.
    void register_routes(http::Router& router);
    // Begins to follow the route table and to settle. Calls are answered 503 until a first table
    // came.
    void start();
    // Before the HTTP server cuts off what it could not finish: those calls end as ended by this
    // process, and their clients are told so.
    void begin_stop();
    // A newer process of this gateway serves: while the server is away, it gets half of what is
    // free of the leases; the other half is for the last calls here.
    io::Task<void> hand_over();
    // False for the moment in which calls of an outage that is over still use leases of the process
    // before this one.
    bool may_hand_over() const;
    // After the HTTP server has stopped: makes what is finished durable, tries to settle it until
    // `drain`, and ends. What could not be sent stays in the spool for the next start.
    io::Task<void> stop(io::Deadline drain);

    // Whether calls can be served: a route table has come and the spool has room.
    bool ready() const;
    // Whether an operator has taken it out of service: new calls are answered 503.
    bool draining() const;
    // Of the route table in use; 0: none yet.
    std::int64_t routes_version() const;

    class State;

  private:
    explicit Gateway(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace penstock::gateway
