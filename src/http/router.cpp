// SPDX-License-Identifier: Apache-2.0
#include "http/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/container/flat_map.hpp>
#include <span>

#include "base/check.h"

// pattern  = "/" [ segment *( "/" segment ) ]
// segment  = literal | "{" name "}" | "{" name "...}"
// The last segment may end in ":" verb, where segment is a literal or "{" name "}".
namespace penstock::http {
namespace {

constexpr std::size_t kSegmentsUsual = 8;  // room that is made at once
constexpr std::size_t kSegmentsMax = 64;   // of a path; deeper ones match nothing

Result<std::vector<std::string_view>> split(std::string_view path) {
    std::vector<std::string_view> segments;
    segments.reserve(kSegmentsUsual);
    while (!path.empty()) {
        path.remove_prefix(1);
        const std::size_t end = std::min(path.find('/'), path.size());
        segments.push_back(path.substr(0, end));
        path.remove_prefix(end);
        if (segments.size() > kSegmentsMax)
            return fail(
                ErrorCode::invalid_argument,
                fmt::format("the path has more than {} segments", kSegmentsMax)
            );
    }
    return segments;
}

Result<void> check_path(std::string_view path) {
    if (!path.starts_with('/'))
        return fail(ErrorCode::invalid_argument, "the path must begin with '/'");
    if (!path.contains('%') && !path.contains("/.")) return {};
    for (const std::string_view segment : TRY(split(path))) {
        const std::string decoded = TRY(percent_decode(segment));
        if (decoded == "." || decoded == ".." || decoded.contains("../") || decoded.contains("/.."))
            return fail(
                ErrorCode::invalid_argument, "'.' and '..' are not allowed as segments of a path"
            );
        if (decoded.contains('\0'))
            return fail(ErrorCode::invalid_argument, "the path has a NUL byte");
    }
    return {};
}

}  // namespace

struct Router::Node {
    // In the order of preference.
    enum class Kind { name_verb, name, rest };
    struct Parameter {
        Kind kind;
        std::string name;
        std::string verb;  // with its colon
        std::unique_ptr<Node> node;
    };
    using Segments = std::span<const std::string_view>;
    using Params = std::vector<std::pair<std::string_view, std::string_view>>;

    // As many as there are resources: to look at each would touch the memory of all.
    boost::container::flat_map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::vector<Parameter> parameters;  // by their kind
    std::vector<const Route*> routes;   // one per method

    Node& literal(std::string_view text) {
        const auto found = literals.find(text);
        if (found != literals.end()) return *found->second;
        return *literals.emplace(std::string(text), std::make_unique<Node>()).first->second;
    }
    Node& parameter(Kind kind, std::string_view name, std::string_view verb) {
        for (const Parameter& known : parameters)
            if (known.kind == kind && known.name == name && known.verb == verb) return *known.node;
        const auto at = std::ranges::upper_bound(parameters, kind, {}, &Parameter::kind);
        const auto added = parameters.insert(
            at, {kind, std::string(name), std::string(verb), std::make_unique<Node>()}
        );
        return *added->node;
    }

    // The node of the path; the raw parameter values are pushed in order.
    const Node* find(Segments segments, Params& params, std::string_view path) const {
        if (segments.empty()) {
            if (!routes.empty()) return this;
            // "/files/" and "/files" both reach "/files/{path...}" with an empty rest.
            for (const Parameter& rest : parameters)
                if (rest.kind == Kind::rest)
                    return params.emplace_back(rest.name, ""), rest.node.get();
            return nullptr;
        }
        if (const auto literal = literals.find(segments.front()); literal != literals.end())
            if (const Node* found = literal->second->find(segments.subspan(1), params, path))
                return found;
        const std::size_t before = params.size();
        for (const Parameter& parameter : parameters) {
            if (const Node* found = take(parameter, segments, params, path)) return found;
            params.resize(before);
        }
        return nullptr;
    }
    static const Node* take(
        const Parameter& parameter, Segments segments, Params& params, std::string_view path
    ) {
        const auto& [kind, name, verb, node] = parameter;
        std::string_view value = segments.front();
        switch (kind) {
            case Kind::name_verb:
                if (segments.size() > 1 || value.size() <= verb.size() || !value.ends_with(verb))
                    return nullptr;
                value.remove_suffix(verb.size());
                break;
            case Kind::name:
                if (value.empty()) return nullptr;
                break;
            case Kind::rest:
                value = path.substr(static_cast<std::size_t>(value.data() - path.data()));
                params.emplace_back(name, value);
                return node.get();
        }
        params.emplace_back(name, value);
        return node->find(segments.subspan(1), params, path);
    }
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(
    std::string_view method, std::string_view pattern, Handler handler, RouteOptions options
) {
    CHECK(pattern.starts_with('/'), "a pattern begins with '/': " + std::string(pattern));
    const std::vector<std::string_view> segments = *split(pattern);
    Node* node = root_.get();
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const std::string_view segment = segments[i];
        if (!segment.starts_with('{')) {
            node = &node->literal(segment);
            continue;
        }
        const std::size_t close = segment.find('}');
        CHECK(
            close != std::string_view::npos && close > 1,
            "braces name a parameter: " + std::string(pattern)
        );
        const std::string_view name = segment.substr(1, close - 1);
        const std::string_view verb = segment.substr(close + 1);
        const bool last = i + 1 == segments.size();
        CHECK(
            verb.empty() || (last && verb.starts_with(':')),
            "a verb ends the pattern: " + std::string(pattern)
        );
        if (name.ends_with("...")) {
            CHECK(last && verb.empty(), "a rest ends the pattern: " + std::string(pattern));
            node = &node->parameter(Node::Kind::rest, name.substr(0, name.size() - 3), "");
        } else {
            const Node::Kind kind = verb.empty() ? Node::Kind::name : Node::Kind::name_verb;
            node = &node->parameter(kind, name, verb);
        }
    }
    for (const Route* route : node->routes)
        CHECK(
            route->method != method,
            "a route is added once: " + std::string(method) + " " + std::string(pattern)
        );
    routes_.push_back(std::make_unique<Route>(
        Route{std::string(method), std::string(pattern), std::move(handler), std::move(options)}
    ));
    node->routes.push_back(routes_.back().get());
}

void Router::use(Middleware middleware) { middlewares_.push_back(std::move(middleware)); }

Result<Router::Match> Router::match(std::string_view method, std::string_view path) const {
    TRY(check_path(path));
    const std::vector<std::string_view> segments = TRY(split(path));
    Node::Params raw;
    Match match;
    const Node* const node = root_->find(segments, raw, path);
    if (node == nullptr) return match;
    for (const Route* route : node->routes) {
        const bool same = route->method == method;
        // A HEAD is a GET whose body is not sent, unless the path has its own.
        if (same || (method == "HEAD" && route->method == "GET" && match.route == nullptr))
            match.route = route;
    }
    if (match.route == nullptr) {
        for (const Route* route : node->routes) {
            match.allow.push_back(route->method);
            if (route->method == "GET") match.allow.emplace_back("HEAD");
        }
        return match;
    }
    for (const auto& [name, value] : raw)
        match.params.emplace_back(name, TRY(percent_decode(value)));
    return match;
}

std::vector<const Route*> Router::routes() const {
    std::vector<const Route*> all;
    for (const auto& route : routes_) all.push_back(route.get());
    return all;
}

Handler Router::chain(Handler last) const {
    Handler chain = std::move(last);
    for (auto middleware = middlewares_.rbegin(); middleware != middlewares_.rend(); ++middleware) {
        // Shared by the copies that std::function may make of this link, so that Next stays valid.
        auto inner = std::make_shared<const Handler>(std::move(chain));
        chain = [outer = &*middleware, inner = std::move(inner)](Request&& request) {
            return (*outer)(std::move(request), Next(inner.get()));
        };
    }
    return chain;
}

}  // namespace penstock::http
