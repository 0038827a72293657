// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/key_cache.h"
#include "http/message.h"
#include "model/endpoint.h"
#include "routing/allowance_pool.h"

namespace penstock::gateway {

// What makes a call a line of a batch; it travels as its request's context. Such a call has the key
// and the record's id that the server gave it, costs the endpoint's batch price, and leaves its
// record here instead of the spool: the server takes it together with the answer, in one change. A
// process that ends before has charged nothing, and the line is run again.
struct BatchCall {
    KeyPtr key;
    RequestId id;
    std::string line;                  // "batch_…/12"
    std::vector<EndpointId> excluded;  // all but the endpoint that the server chose
    std::optional<EndpointId> asked;   // whose engine works on it now
    // Once an engine was asked and the call has ended:
    std::optional<CallRecord> record;
    routing::Hold hold;
    routing::Actual actual;
};
using BatchCallPtr = std::shared_ptr<BatchCall>;  // of the line, its request and its call

// Null: an interactive call.
inline BatchCallPtr batch_call_of(const http::Request& request) {
    const auto* found = request.context_as<BatchCallPtr>();
    return found == nullptr ? nullptr : *found;
}

}  // namespace penstock::gateway
