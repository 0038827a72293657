// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "http/client.h"
#include "model/allowance.h"
#include "model/batch.h"
#include "model/endpoint.h"
#include "model/gateway_status.h"
#include "model/response_state.h"
#include "model/service_load.h"

namespace penstock::gateway {

// What the gateway asks of the platform's server, over HTTP with a key of scope `gateway`. Failures
// keep the server's code; no connection and answers that cannot be read are `unavailable`.
class ServerLink {
  public:
    static constexpr Duration kCallTimeout = 10s;
    static constexpr Duration kSettleTimeout = 30s;
    static constexpr Duration kBlobTimeout = 60s;
    static constexpr Duration kRoutesWait = 30s;  // of the long poll, on the server

    ServerLink(io::Runtime& runtime, std::string server_url, std::string key);

    io::Task<Result<ResolvedKey>> resolve_key(std::string key_sha256);
    io::Task<Result<GrantedAllowances>> acquire_allowances(AcquireAllowances question);
    // Records as text, as the spool has them: a body of SettleCalls without reading any of them.
    io::Task<Result<SettledCalls>> settle(
        std::string replica, std::span<const std::string_view> records
    );
    io::Task<Result<TakenLoads>> report_loads(ReportLoads report);
    // Answers after the report's `wait`, or when the server wants another one at once.
    io::Task<Result<GatewayWishes>> report_status(ReportGateway report);
    // Lines of batches; waits as long as the question says.
    io::Task<Result<TakenUses>> report_uses(ReportUses report);
    io::Task<Result<ClaimedLines>> claim_lines(ClaimLines question);
    // How lines ended; what is told twice is taken once.
    io::Task<Result<ReportedLines>> report_lines(ReportLines report);
    // What was said before a turn, and its answer; see model/response_state.h.
    io::Task<Result<ExpandedTurn>> expand_turn(ExpandTurn turn);
    io::Task<Result<KeptTurn>> keep_turn(const KeepTurn* turn);
    // A file that the route table names, by its hash; not checked against it.
    io::Task<Result<std::string>> blob(std::string sha256);
    // Answers when the server's version differs from `known_version`, or after kRoutesWait.
    io::Task<Result<RouteTable>> routes(std::int64_t known_version);
    // The table at once, to find out whether the server is there; unavailable after kProbeTimeout.
    static constexpr Duration kProbeTimeout = 2s;
    io::Task<Result<RouteTable>> probe();

  private:
    io::Task<Result<std::string>> call(
        std::string method, std::string target, std::string body, Duration timeout
    );

    http::Client client_;
    std::string server_url_;
    std::string authorization_;
};

}  // namespace penstock::gateway
