// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "gateway/authenticator.h"
#include "gateway/budget.h"
#include "gateway/held_calls.h"
#include "gateway/idempotent_calls.h"
#include "gateway/spool.h"
#include "io/task.h"
#include "routing/endpoint_pool.h"

namespace penstock::telemetry {
class Registry;
}

namespace penstock::gateway {

struct GaugeSources {
    const std::int64_t& calls_running;
    HeldCalls& held;
    Budget& budget;
    Spool& spool;
    routing::EndpointPool& endpoints;
    Authenticator& authenticator;
    IdempotentCalls& idempotent;
    const Clock& clock;
};

// What a gateway carries, for its metrics, until cancelled. Written, not asked for: the registry
// may outlive the gateway.
io::Task<void> refresh_gauges(GaugeSources of, telemetry::Registry* registry);

}  // namespace penstock::gateway
