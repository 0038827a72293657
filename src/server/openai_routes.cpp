// SPDX-License-Identifier: Apache-2.0
#include "server/openai_routes.h"

#include <memory>

#include "server/lists.h"

namespace penstock::server {
namespace {

constexpr int kOk = 200;
constexpr int kOtherRequest = 422;

std::string hash_of(const http::Request& request) {
    return access::sha256_hex(request.method + " " + request.path + "\n" + request.body);
}

// What the same request was answered; conflict: the key was another's.
Result<std::optional<std::string>> answered_before(
    const Platform& platform, const access::Principal& principal, const http::Request& request
) {
    const std::string tenant = to_string(principal.organisation_id);
    const std::string key(request.headers.get("Idempotency-Key"));
    if (key.empty() || key.size() > kIdempotencyKeyMax)
        return fail_field(
            ErrorCode::invalid_argument, "Idempotency-Key", "must have 1 to 255 characters"
        );
    const storage::PutIdempotency* found = platform.find_answer(tenant, key);
    if (found == nullptr || found->expires_at <= platform.now()) {
        TRY(platform.check_answers(tenant));
        return std::optional<std::string>();
    }
    if (found->request_hash != hash_of(request))
        return fail_field(
            ErrorCode::conflict, "Idempotency-Key",
            "was used for another request: send that one unchanged, or choose a new key"
        );
    return std::optional<std::string>(found->body);
}

}  // namespace

void OpenAiRoutes::add(
    std::string_view method, std::string_view pattern, RouteDoc doc, Handler handler,
    http::RouteOptions options
) {
    options.operation = doc.operation;
    options.summary = doc.summary;
    options.details = std::move(doc);
    // Shared: the router copies what it is given.
    auto kept = std::make_shared<Handler>(std::move(handler));
    router_.add(
        method, pattern,
        [this, kept](http::Request request) { return run(std::move(request), kept.get()); },
        std::move(options)
    );
}

io::Task<http::Response> OpenAiRoutes::run(http::Request request, const Handler* handler) {
    Result<access::Principal> principal = api_.authenticate(request);
    if (!principal) {
        http::Response response = openai_error(principal.error());
        response.headers.set("WWW-Authenticate", "Bearer");
        co_return response;
    }
    if (const Result<void> allowed = access::require(*principal, Scope::tokens); !allowed)
        co_return openai_error(allowed.error());
    const bool writes = request.method != "GET" && request.method != "HEAD";
    if (writes)
        if (const Result<void> room = api_.platform().check_room(); !room)
            co_return openai_error(room.error());
    // Of forms nothing is kept: a file that is sent twice is there twice until it expires.
    if (writes && request.headers.contains("Idempotency-Key") && !request.body.empty()) {
        const Result<std::optional<std::string>> known =
            answered_before(api_.platform(), *principal, request);
        if (!known) {
            http::Response refused = openai_error(known.error());
            if (known.error().code == ErrorCode::conflict) refused.status = kOtherRequest;
            co_return refused;
        }
        if (*known) {
            http::Response again = co_await openai_answer(&api_.platform(), **known);
            again.headers.set("Idempotency-Replayed", "true");
            co_return again;
        }
    }
    co_return co_await (*handler)(*std::move(principal), std::move(request));
}

void keep_for_repetition(
    Platform& platform, Change& change, const access::Principal& principal,
    const http::Request& request, const std::string& body
) {
    const std::string key(request.headers.get("Idempotency-Key"));
    if (key.empty()) return;
    platform.keep_answer(
        change, {to_string(principal.organisation_id), key, hash_of(request), kOk, body,
                 platform.now() + kIdempotencyKept}
    );
}

http::Response openai_error(const Error& error) {
    routing::ApiError told = routing::api_error(error);
    if (error.code == ErrorCode::unauthenticated) told.code = "invalid_api_key";
    http::Response response = http::Response::json(told.status, routing::to_json(told));
    if (error.code == ErrorCode::unavailable) response.headers.set("Retry-After", "1");
    return response;
}

http::Response openai_error(const std::vector<Error>& errors) {
    Error all = errors.front();
    for (std::size_t i = 1; i < errors.size(); ++i)
        all.message += "; " + errors[i].field + " " + errors[i].message;
    return openai_error(all);
}

io::Task<http::Response> openai_answer(Platform* platform, std::string body, int status) {
    if (const Result<void> durable = co_await platform->committed(platform->last_ticket());
        !durable)
        co_return openai_error(durable.error());
    co_return http::Response::json(status, std::move(body));
}

Result<OpenAiPage> openai_page(
    const http::Request& request, std::size_t limit_default, std::size_t limit_max
) {
    OpenAiPage page{.after = std::string(request.query.get("after"))};
    page.limit = static_cast<std::size_t>(TRY(query_integer(
        request, "limit", static_cast<std::int64_t>(limit_default), 1,
        static_cast<std::int64_t>(limit_max)
    )));
    const std::string_view order = request.query.get("order");
    if (!order.empty() && order != "asc" && order != "desc")
        return fail_field(ErrorCode::invalid_argument, "order", "expected asc or desc");
    page.newest_first = order != "asc";
    return page;
}

}  // namespace penstock::server
