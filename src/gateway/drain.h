// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "gateway/batch_runner.h"
#include "gateway/budget.h"
#include "gateway/held_calls.h"
#include "gateway/spool.h"
#include "model/gateway_status.h"
#include "telemetry/log.h"

namespace penstock::gateway {

// Takes this gateway out of service and back, as the route table tells: while `told`, new calls are
// refused (check_room of call_hold.h), those that run are finished and settled, no line of a batch
// is claimed, and what is free of the leases is given back. A request that was
// let in when the word came is still served, with all models that it names. The gateway's thread.
class Drain {
  public:
    struct Parts {
        bool& told;  // calls look at it when they arrive
        Budget& budget;
        const Spool& spool;
        const HeldCalls& held;
        BatchRunner& batches;
        const std::int64_t& calls_running;
        const std::int64_t& requests_open;
        const telemetry::Logger& log;
    };
    explicit Drain(Parts parts) : parts_(parts) {}

    void tell(bool drains);
    bool told() const { return parts_.told; }
    GatewayState state() const;

  private:
    Parts parts_;
};

}  // namespace penstock::gateway
