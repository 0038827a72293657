// SPDX-License-Identifier: Apache-2.0
#include "gateway/server_link.h"

#include "base/check.h"
#include "json/answer.h"
#include "json/json.h"

namespace penstock::gateway {
namespace {

constexpr std::size_t kAnswerBytesMax =
    std::size_t{64} * 1024 * 1024;  // a route table of about 100,000 endpoints

http::ClientOptions client_options() {
    http::ClientOptions options;
    options.body_max = kAnswerBytesMax;
    options.user_agent = "penstock-gateway";
    return options;
}

// An answer that cannot be read is no answer: the caller tries again later.
template <class T>
Result<T> read(const Result<std::string>& body) {
    if (!body) return std::unexpected(body.error());
    Result<T> value = json::parse_answer<T>(*body);
    if (!value)
        return fail(
            ErrorCode::unavailable,
            "the server's answer cannot be read: " + to_string(value.error())
        );
    return value;
}

}  // namespace

ServerLink::ServerLink(io::Runtime& runtime, std::string server_url, std::string key)
    : client_(runtime, client_options()),
      server_url_(std::move(server_url)),
      authorization_("Bearer " + std::move(key)) {
    while (server_url_.ends_with('/')) server_url_.pop_back();
}

io::Task<Result<std::string>> ServerLink::call(
    std::string method, std::string target, std::string body, Duration timeout
) {
    http::ClientRequest request{.method = std::move(method), .url = server_url_ + target};
    request.headers.add("Authorization", authorization_);
    if (!body.empty()) request.headers.add("Content-Type", "application/json");
    request.body = std::move(body);
    Result<http::ClientResponse> response =
        co_await client_.send(std::move(request), io::Deadline::after(timeout));
    if (!response)
        co_return fail(
            ErrorCode::unavailable, "the server cannot be reached: " + response.error().message
        );
    if (const Result<void> checked = response->check(); !checked)
        co_return std::unexpected(checked.error());
    co_return std::move(response->body);
}

io::Task<Result<ResolvedKey>> ServerLink::resolve_key(std::string key_sha256) {
    std::string body = json::print(ResolveKey{std::move(key_sha256)});
    co_return read<ResolvedKey>(
        co_await call("POST", "/v1/gateway/keys:resolve", std::move(body), kCallTimeout)
    );
}

io::Task<Result<GrantedAllowances>> ServerLink::acquire_allowances(AcquireAllowances question) {
    co_return read<GrantedAllowances>(
        co_await call("POST", "/v1/gateway/allowances", json::print(question), kCallTimeout)
    );
}

io::Task<Result<SettledCalls>> ServerLink::settle(
    std::string replica, std::span<const std::string_view> records
) {
    std::string body = json::print(SettleCalls{.replica = std::move(replica), .records = {}});
    constexpr std::string_view kEnd = "]}";
    CHECK(body.ends_with("[]}"), "the records are the last field");
    body.resize(body.size() - kEnd.size());
    for (std::size_t i = 0; i < records.size(); ++i)
        body.append(i == 0 ? "" : ",").append(records[i]);
    body.append(kEnd);
    co_return read<SettledCalls>(
        co_await call("POST", "/v1/gateway/settlements", std::move(body), kSettleTimeout)
    );
}

io::Task<Result<TakenLoads>> ServerLink::report_loads(ReportLoads report) {
    co_return read<TakenLoads>(
        co_await call("POST", "/v1/gateway/loads", json::print(report), kCallTimeout)
    );
}

io::Task<Result<GatewayWishes>> ServerLink::report_status(ReportGateway report) {
    const Duration timeout = report.wait + kCallTimeout;
    co_return read<GatewayWishes>(
        co_await call("POST", "/v1/gateway/status", json::print(report), timeout)
    );
}

io::Task<Result<TakenUses>> ServerLink::report_uses(ReportUses report) {
    const Duration timeout = report.wait + kCallTimeout;
    co_return read<TakenUses>(
        co_await call("POST", "/v1/gateway/batches:uses", json::print(report), timeout)
    );
}

io::Task<Result<ClaimedLines>> ServerLink::claim_lines(ClaimLines question) {
    const Duration timeout = question.wait + kCallTimeout;
    co_return read<ClaimedLines>(
        co_await call("POST", "/v1/gateway/batches:claim", json::print(question), timeout)
    );
}

io::Task<Result<ReportedLines>> ServerLink::report_lines(ReportLines report) {
    co_return read<ReportedLines>(
        co_await call("POST", "/v1/gateway/batches:report", json::print(report), kSettleTimeout)
    );
}

io::Task<Result<ExpandedTurn>> ServerLink::expand_turn(ExpandTurn turn) {
    co_return read<ExpandedTurn>(
        co_await call("POST", "/v1/gateway/responses:expand", json::print(turn), kCallTimeout)
    );
}

io::Task<Result<KeptTurn>> ServerLink::keep_turn(const KeepTurn* turn) {
    co_return read<KeptTurn>(
        co_await call("POST", "/v1/gateway/responses:keep", json::print(*turn), kSettleTimeout)
    );
}

io::Task<Result<std::string>> ServerLink::blob(std::string sha256) {
    co_return co_await call("GET", "/v1/blobs/" + sha256, {}, kBlobTimeout);
}

io::Task<Result<RouteTable>> ServerLink::routes(std::int64_t known_version) {
    std::string target = "/v1/gateway/routes?version=" + std::to_string(known_version) +
                         "&wait=" + to_string(kRoutesWait);
    co_return read<RouteTable>(
        co_await call("GET", std::move(target), {}, kRoutesWait + kCallTimeout)
    );
}

io::Task<Result<RouteTable>> ServerLink::probe() {
    co_return read<RouteTable>(co_await call("GET", "/v1/gateway/routes", {}, kProbeTimeout));
}

}  // namespace penstock::gateway
