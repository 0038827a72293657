// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "gateway/authenticator.h"
#include "gateway/call.h"
#include "gateway/drain.h"
#include "gateway/server_link.h"
#include "model/gateway_status.h"
#include "telemetry/log.h"

namespace penstock::gateway {

// Tells the server what this gateway carries, at a slow pace, and with details of endpoints and
// leases at a quick one while somebody looks. The gateway's thread.
class StatusReporter {
  public:
    static constexpr Duration kPace = 5s;
    static constexpr Duration kPaceWatched = 1s;
    static constexpr Duration kPaceDraining = 200ms;
    static constexpr Duration kBetweenMin = 50ms;
    static constexpr Duration kBackOff = 5s;  // the server does not take the report
    // In one report; what is left out is counted.
    static constexpr std::size_t kEndpointsMax = 1000;
    static constexpr std::size_t kLeasesMax = 1000;
    static constexpr std::size_t kRefusedRoutesMax = 100;

    struct Parts {
        const CallParts& calls;
        const HeldCalls& held;
        const BatchRunner& batches;
        const Drain& drain;
        ServerLink& server;
        const std::int64_t& routes_version;
        const bool& routes_known;
        const std::vector<std::string>& refused_routes;
        const GatewayOptions& options;
        const telemetry::Logger& log;
    };
    StatusReporter(Parts parts, RunId run);

    io::Task<void> report_forever();

  private:
    ReportGateway report(bool detailed) const;

    Parts parts_;
    RunId run_;
    Time started_at_;
};

}  // namespace penstock::gateway
