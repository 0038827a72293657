// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "http/client.h"
#include "http/url.h"
#include "io/runtime.h"
#include "json/answer.h"
#include "json/json.h"

namespace penstock::client {

struct ConnectionOptions {
    std::string endpoint;  // "http://127.0.0.1:7300"
    std::string key;       // sk-…; empty: the routes that need none
    std::string user_agent = "penstock";
    std::string ca_file;  // PEM; empty: the system's store
    Duration call_timeout = 30s;
    // Told of every try: "GET", "/v1/tasks?filter=…", the status (0: no answer) and how long it
    // took.
    std::function<void(std::string_view method, std::string_view target, int status, Duration took)>
        observe = {};
};

// A first contact that fails is a wrong address more often than a restart: few tries. A server that
// has answered before is given the time of a restart.
constexpr int kFirstContactTriesMax = 4;
constexpr int kTriesMax = 9;
constexpr Duration kBackoffFirst = 200ms;
constexpr Duration kBackoffMax = 5s;
// A longer Retry-After is left to the caller to decide.
constexpr Duration kRetryAfterMax = 10s;

struct Call {
    std::string method = "GET";
    std::string path;  // encoded
    http::Query query = {};
    std::string body = {};
    std::string idempotency_key = {};  // empty: a POST gets a new one
    std::string content_type = "application/json";
    std::optional<Duration> timeout = {};
};

// One platform, as an authenticated caller. Sends a call until it has an answer: what is
// unavailable is repeated with back-off and the same Idempotency-Key, so a lost answer never
// creates or pays twice. Used on the Runtime's thread; outlives its calls.
class Connection {
  public:
    Connection(io::Runtime& runtime, Random& random, ConnectionOptions options);

    // The body of a success. Anything else is an Error.
    io::Task<Result<std::string>> call(Call call);
    template <class T>
    io::Task<Result<T>> call_for(Call request) {
        const std::string body = CO_TRY(co_await call(std::move(request)));
        Result<T> value = json::parse_answer<T>(body);
        if (!value) co_return std::unexpected(unreadable(std::move(value.error())));
        co_return *std::move(value);
    }
    // Whether the path answers 2xx (true) or 404 (false).
    io::Task<Result<bool>> exists(std::string path);
    // Streams; not repeated.
    io::Task<Result<http::ResponseStream>> open(Call call, http::Headers headers);
    io::Task<Result<void>> put_file(std::string path, std::filesystem::path file);

    const ConnectionOptions& options() const { return options_; }
    Random& random() { return random_; }
    // How long to wait before try number `tries_done + 1`: doubling, with jitter, at most
    // kBackoffMax.
    Duration backoff(int tries_done);
    // The value of the last Date field: for `doctor`, which compares clocks.
    const std::string& last_date() const { return last_date_; }

  private:
    struct Answer {
        Result<std::string> body;
        std::optional<Duration> retry_after;
    };
    io::Task<Answer> try_once(const Call* call);
    http::ClientRequest request_of(const Call& call) const;
    static Error unreadable(Error error);

    http::Client http_;
    Random& random_;
    ConnectionOptions options_;
    bool answered_before_ = false;
    std::string last_date_;
};

}  // namespace penstock::client
