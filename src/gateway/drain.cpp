// SPDX-License-Identifier: Apache-2.0
#include "gateway/drain.h"

namespace penstock::gateway {

void Drain::tell(bool drains) {
    if (drains == parts_.told) return;
    parts_.told = drains;
    parts_.batches.pause(drains);
    if (drains)
        parts_.budget.close();
    else
        parts_.budget.reopen();
    parts_.log.info(
        drains ? "an operator drains this gateway: new calls are refused"
               : "this gateway takes calls again",
        {{"calls_running", parts_.calls_running}}
    );
}

GatewayState Drain::state() const {
    if (!parts_.told) return GatewayState::serving;
    const bool idle = parts_.calls_running == 0 && parts_.requests_open == 0 &&
                      parts_.held.held() == 0 && parts_.batches.lines() == 0;
    const bool settled = !parts_.spool.has_unsettled() && parts_.budget.pool().accounts() == 0;
    return idle && settled ? GatewayState::drained : GatewayState::draining;
}

}  // namespace penstock::gateway
