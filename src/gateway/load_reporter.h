// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/held_calls.h"
#include "gateway/load_meter.h"
#include "gateway/server_link.h"
#include "telemetry/log.h"

namespace penstock::gateway {

// Tells the server of the load at the pace it asks for, and at once when a call begins to wait for
// a first replica. Silent while the platform has no elastic service. The gateway's thread.
class LoadReporter {
  public:
    struct Parts {
        const LoadMeter& loads;
        HeldCalls& held;
        const routing::EndpointPool& endpoints;
        ServerLink& server;
        const std::int64_t& routes_version;
        const GatewayOptions& options;
        const telemetry::Logger& log;
    };
    LoadReporter(Parts parts, RunId run) : parts_(parts), run_(run) {}
    io::Task<void> report_forever();

  private:
    ReportLoads report() const;

    Parts parts_;
    RunId run_;
};

}  // namespace penstock::gateway
