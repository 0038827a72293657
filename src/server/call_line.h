// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/billing.h"
#include "model/endpoint.h"

namespace penstock::server {

// The bill line of a call, without its money. `endpoint`: that answered it; null: it is gone.
BillLine line_of(const CallRecord& call, const Endpoint* endpoint);

}  // namespace penstock::server
