// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/router.h"
#include "json/json.h"
#include "server/platform.h"

namespace penstock::server {

constexpr std::size_t kIdempotencyKeyMax = 255;
constexpr Duration kIdempotencyKept = 24h;

// What a command answers. `body` is JSON text, written from a struct of the model.
struct Answer {
    int status = 200;
    std::string body;
    std::string etag = {};
};

// One mistake or several, each with its field.
struct Failure {
    std::vector<Error> errors;
    Failure(Error error) : errors{std::move(error)} {}
    Failure(std::vector<Error> all) : errors(std::move(all)) {}
};
using Outcome = std::expected<Answer, Failure>;

// One authenticated call of a synchronous route.
struct Call {
    const access::Principal& principal;
    const http::Request& request;
    Time now;
    Change& change;
};

// How a JSON Schema of a type is derived; json::schema<T>.
using SchemaOf = json::Value (*)(json::Object&);

// What OpenAPI says of a route, and which scope it needs.
struct RouteDoc {
    std::string operation;
    std::string summary;
    std::optional<Scope> scope = {};  // absent: any valid key
    SchemaOf request = nullptr;
    SchemaOf response = nullptr;
    int status = 200;
    std::vector<std::string> query = {};       // names of query parameters
    std::string content = "application/json";  // of the answer
    bool open = false;                         // needs no key
    bool list = false;                         // takes the parameters of lists
};

// Registers the platform's routes: authenticates, checks the scope, keeps answers to idempotency
// keys, and sends nothing before what it shows is durable.
class Api {
  public:
    Api(Platform& platform, http::Router& router);

    using Handler = std::function<Outcome(Call&)>;
    // Reads only.
    void query(std::string_view pattern, RouteDoc doc, Handler handler);
    // May change the platform through call.change, which is committed when the handler returns.
    void command(
        std::string_view method, std::string_view pattern, RouteDoc doc, Handler handler,
        std::size_t body_max = 1 << 20
    );
    // Answers by itself: streams, files, sessions. Authenticated and checked like the others.
    using RawHandler = std::function<io::Task<http::Response>(access::Principal, http::Request)>;
    void raw(
        std::string_view method, std::string_view pattern, RouteDoc doc, RawHandler handler,
        http::RouteOptions options = {}
    );
    // Without a key.
    void open(
        std::string_view pattern, RouteDoc doc,
        std::function<http::Response(const http::Request&)> handler
    );

    Platform& platform() { return platform_; }
    Result<access::Principal> authenticate(const http::Request& request) const;

    // Commits and answers, for raw handlers that change something.
    io::Task<http::Response> finish(Outcome outcome, Change change, http::Request request);

  private:
    io::Task<http::Response> run(
        http::Request request, const RouteDoc* doc, const Handler* handler, bool writes
    );
    io::Task<http::Response> run_raw(
        http::Request request, const RouteDoc* doc, const RawHandler* handler
    );
    std::optional<http::Response> stored_answer(
        const access::Principal& principal, const http::Request& request, const std::string& key
    );
    void add(
        std::string_view method, std::string_view pattern, RouteDoc doc, http::Handler handler,
        http::RouteOptions options
    );

    Platform& platform_;
    http::Router& router_;
};

// The body as T; every mistake at once.
template <class T>
std::expected<T, Failure> body_as(const http::Request& request) {
    std::expected<T, std::vector<Error>> decoded = json::parse_all<T>(request.body);
    if (!decoded) return std::unexpected(Failure(std::move(decoded.error())));
    return *std::move(decoded);
}

template <class T>
Answer answer(const T& value, int status = 200) {
    Answer made{status, json::print(value)};
    made.etag = '"' + digest_of(made.body) + '"';
    return made;
}

}  // namespace penstock::server
