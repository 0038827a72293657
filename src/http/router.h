// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace penstock::http {

// Handlers are coroutines: they take the request by value. One that captures must not itself be a
// coroutine; it calls one: [this](Request&& r) { return create(std::move(r)); }
using Handler = std::function<io::Task<Response>(Request&&)>;

// The rest of the chain, called at most once. A handle: cheap to copy into a coroutine.
class Next {
  public:
    explicit Next(const Handler* handler) : handler_(handler) {}
    io::Task<Response> operator()(Request&& request) const {
        return (*handler_)(std::move(request));
    }

  private:
    const Handler* handler_;
};
using Middleware = std::function<io::Task<Response>(Request&&, Next)>;

struct RouteOptions {
    std::optional<std::size_t> body_max;  // else the server's
    bool stream_body = false;             // the handler reads Request::reader itself
    Duration timeout = Duration{0};       // sets Request::deadline; 0: none
    std::string operation;                // OpenAPI operationId; also the metrics' route name
    std::string summary;                  // for OpenAPI
    std::any details;                     // what the owner of the API keeps beside it
};

struct Route {
    std::string method;
    std::string pattern;
    Handler handler;
    RouteOptions options;
};

// Patterns are "/"-separated: literal segments, "{name}" for one segment, "{name...}" for all the
// rest (last, may be empty), and a verb after a colon on the last segment
// ("/v1/tasks/{id}:cancel"). Literals win over verbs, verbs over names, names over rests. GET
// answers HEAD too.
class Router {
  public:
    Router();
    ~Router();
    Router(Router&&) noexcept;
    Router& operator=(Router&&) noexcept;

    // CHECKs that the pattern is well formed and new.
    void add(
        std::string_view method, std::string_view pattern, Handler handler,
        RouteOptions options = {}
    );
    // Runs around every handler, 404 and 405 included; the first added is outermost.
    void use(Middleware middleware);

    struct Match {
        const Route* route = nullptr;  // nullptr: no such path, or not with this method
        std::vector<std::pair<std::string, std::string>> params;
        std::vector<std::string> allow;  // the methods of the path when only the method is wrong
    };
    // `path` as it came, not decoded. Dot segments and broken escapes are refused.
    Result<Match> match(std::string_view method, std::string_view path) const;
    // In the order of their addition.
    std::vector<const Route*> routes() const;

    // `last` behind all middlewares; `last` and the router outlive the result.
    Handler chain(Handler last) const;

  private:
    struct Node;
    std::unique_ptr<Node> root_;
    std::vector<std::unique_ptr<Route>> routes_;
    std::vector<Middleware> middlewares_;
};

}  // namespace penstock::http
