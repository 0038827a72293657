// SPDX-License-Identifier: Apache-2.0
#include "server/api.h"

#include <memory>

#include "http/problem.h"

namespace penstock::server {
namespace {

http::Response render(const Answer& answer, const http::Request& request) {
    if (!answer.etag.empty() && request.method == "GET" &&
        request.headers.get("If-None-Match") == answer.etag) {
        http::Response response = http::Response::empty(304);
        response.headers.set("ETag", answer.etag);
        return response;
    }
    http::Response response = answer.status == 204
                                  ? http::Response::empty(204)
                                  : http::Response::json(answer.status, answer.body);
    if (!answer.etag.empty()) response.headers.set("ETag", answer.etag);
    return response;
}

http::Response unauthenticated(const Error& error, const http::Request& request) {
    http::Response response = http::problem_response(error, request);
    response.headers.set("WWW-Authenticate", "Bearer realm=\"penstock\"");
    return response;
}

// The same key with another request is a mistake of the client, so method, path and body count.
std::string request_hash(const http::Request& request) {
    return access::sha256_hex(request.method + " " + request.target + "\n" + request.body);
}

std::unexpected<Error> bad_key() {
    return fail_field(
        ErrorCode::invalid_argument, "Idempotency-Key",
        "must have 1 to 255 visible ASCII characters"
    );
}

Result<std::string> idempotency_key(const http::Request& request) {
    std::string key(request.headers.get("Idempotency-Key"));
    if (!request.headers.contains("Idempotency-Key")) return std::string();
    if (key.empty() || key.size() > kIdempotencyKeyMax) return bad_key();
    for (const char c : key)
        if (c <= 0x20 || c >= 0x7F) return bad_key();
    return key;
}

}  // namespace

Api::Api(Platform& platform, http::Router& router) : platform_(platform), router_(router) {}

Result<access::Principal> Api::authenticate(const http::Request& request) const {
    constexpr std::string_view kScheme = "Bearer ";
    const std::string_view header = request.headers.get("Authorization");
    if (header.empty())
        return fail_field(
            ErrorCode::unauthenticated, "Authorization",
            "is missing: send Authorization: Bearer sk-…"
        );
    if (header.size() <= kScheme.size() ||
        !http::equal_ignoring_case(header.substr(0, kScheme.size()), kScheme))
        return fail_field(
            ErrorCode::unauthenticated, "Authorization", "must be of the form Bearer sk-…"
        );
    return platform_.directory.authenticate(
        access::sha256_hex(header.substr(kScheme.size())), platform_.now()
    );
}

void Api::add(
    std::string_view method, std::string_view pattern, RouteDoc doc, http::Handler handler,
    http::RouteOptions options
) {
    options.operation = doc.operation;
    options.summary = doc.summary;
    options.details = std::move(doc);
    router_.add(method, pattern, std::move(handler), std::move(options));
}

void Api::query(std::string_view pattern, RouteDoc doc, Handler handler) {
    auto kept = std::make_shared<std::pair<RouteDoc, Handler>>(doc, std::move(handler));
    add("GET", pattern, std::move(doc),
        [this, kept](http::Request request) {
            return run(std::move(request), &kept->first, &kept->second, false);
        },
        {});
}

void Api::command(
    std::string_view method, std::string_view pattern, RouteDoc doc, Handler handler,
    std::size_t body_max
) {
    auto kept = std::make_shared<std::pair<RouteDoc, Handler>>(doc, std::move(handler));
    http::RouteOptions options;
    options.body_max = body_max;
    add(
        method, pattern, std::move(doc),
        [this, kept](http::Request request) {
            return run(std::move(request), &kept->first, &kept->second, true);
        },
        std::move(options)
    );
}

void Api::raw(
    std::string_view method, std::string_view pattern, RouteDoc doc, RawHandler handler,
    http::RouteOptions options
) {
    auto kept = std::make_shared<std::pair<RouteDoc, RawHandler>>(doc, std::move(handler));
    add(
        method, pattern, std::move(doc),
        [this, kept](http::Request request) {
            return run_raw(std::move(request), &kept->first, &kept->second);
        },
        std::move(options)
    );
}

void Api::open(
    std::string_view pattern, RouteDoc doc,
    std::function<http::Response(const http::Request&)> handler
) {
    doc.open = true;
    auto kept =
        std::make_shared<std::function<http::Response(const http::Request&)>>(std::move(handler));
    struct Run {
        static io::Task<http::Response> now(
            std::function<http::Response(const http::Request&)>* call, http::Request request
        ) {
            co_return (*call)(request);
        }
    };
    add("GET", pattern, std::move(doc),
        [kept](http::Request request) { return Run::now(kept.get(), std::move(request)); }, {});
}

std::optional<http::Response> Api::stored_answer(
    const access::Principal& principal, const http::Request& request, const std::string& key
) {
    const storage::PutIdempotency* found =
        platform_.find_answer(to_string(principal.organisation_id), key);
    if (found == nullptr || found->expires_at <= platform_.now()) return std::nullopt;
    if (found->request_hash != request_hash(request))
        return http::problem_response(
            Error{
                ErrorCode::invalid_argument, "was used for another request: choose a new one",
                "Idempotency-Key"
            },
            request, 422
        );
    http::Response response = http::Response::json(static_cast<int>(found->status), found->body);
    response.headers.set("Idempotency-Replayed", "true");
    return response;
}

io::Task<http::Response> Api::run(
    http::Request request, const RouteDoc* doc, const Handler* handler, bool writes
) {
    const Result<access::Principal> principal = authenticate(request);
    if (!principal) co_return unauthenticated(principal.error(), request);
    if (doc->scope)
        if (const Result<void> allowed = access::require(*principal, *doc->scope); !allowed)
            co_return http::problem_response(allowed.error(), request);
    Change change;
    if (!writes) {
        Call call{*principal, request, platform_.now(), change};
        Outcome outcome = (*handler)(call);
        co_return co_await finish(std::move(outcome), std::move(change), std::move(request));
    }
    const Result<std::string> key = idempotency_key(request);
    if (!key) co_return http::problem_response(key.error(), request);
    if (!key->empty())
        if (std::optional<http::Response> known = stored_answer(*principal, request, *key)) {
            // The first answer may still be on its way to the disk.
            const Result<void> durable = co_await platform_.committed(platform_.last_ticket());
            co_return durable ? *std::move(known)
                              : http::problem_response(durable.error(), request, 503);
        }
    if (const Result<void> room = platform_.check_room(); !room)
        co_return http::problem_response(room.error(), request, 507);
    if (!key->empty())
        if (const Result<void> room =
                platform_.check_answers(to_string(principal->organisation_id));
            !room)
            co_return http::problem_response(room.error(), request);
    Call call{*principal, request, platform_.now(), change};
    Outcome outcome = (*handler)(call);
    if (outcome && !key->empty()) {
        storage::PutIdempotency stored{to_string(principal->organisation_id),
                                       *key,
                                       request_hash(request),
                                       outcome->status,
                                       outcome->body,
                                       platform_.now() + kIdempotencyKept};
        platform_.keep_answer(change, std::move(stored));
    }
    co_return co_await finish(std::move(outcome), std::move(change), std::move(request));
}

io::Task<http::Response> Api::finish(Outcome outcome, Change change, http::Request request) {
    // A refused command may have burnt an id in the ledger: what memory knows is stored in any
    // case.
    if (!change.empty()) platform_.commit(std::move(change));
    const Result<void> durable = co_await platform_.committed(platform_.last_ticket());
    if (!durable) co_return http::problem_response(durable.error(), request, 503);
    if (outcome) co_return render(*outcome, request);
    co_return http::problem_response(outcome.error().errors, request);
}

io::Task<http::Response> Api::run_raw(
    http::Request request, const RouteDoc* doc, const RawHandler* handler
) {
    Result<access::Principal> principal = authenticate(request);
    if (!principal) co_return unauthenticated(principal.error(), request);
    if (doc->scope)
        if (const Result<void> allowed = access::require(*principal, *doc->scope); !allowed)
            co_return http::problem_response(allowed.error(), request);
    co_return co_await (*handler)(*std::move(principal), std::move(request));
}

}  // namespace penstock::server
