// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/api_answer.h"
#include "gateway/call.h"
#include "gateway/gateway.h"
#include "http/message.h"

namespace penstock::gateway {

// What the client is told where no call can be taken now, whosever it is. `goes_on`: it was let in
// before, and goes on with another model or in another dialect; a gateway that drains finishes
// those.
ApiResult<void> check_room(
    const CallParts& parts, const GatewayOptions& options, bool routes_known, bool goes_on = false
);

// What a call needs before it goes out, whatever its dialect.
struct HoldRequest {
    const ResolvedKey* key = nullptr;
    routing::EndpointQuery endpoints;  // with the lists of the key
    routing::TokenBound bound;
    Time admitted_at;
    Time deadline;  // past it no call can be in flight
};

// The call's worst case at the dearest endpoint it could go to, held in every limit of its key,
// project and organisation and in the wallet; or what the client is told, with the rate headers.
io::Task<ApiResult<routing::Hold>> hold_for_call(CallParts* parts, HoldRequest request);
// The same where that is known without waiting; else nothing.
std::optional<ApiResult<routing::Hold>> hold_for_call_now(
    CallParts& parts, const HoldRequest& request
);

// The id of a call that is made for the request.
RequestId call_id_for(const http::Request& request, IdSource& ids, Time now);
// Gives the call what the request has beside its body: the line of a batch that it is, or its
// Idempotency-Key's use, for which a stream is kept. `admission` says already whether it is one.
void take_context(const http::Request& request, Call::Admission& admission);

// x-penstock-… of the route and x-ratelimit-… of the key; made now, unless it was prepared for the
// present attempt.
void describe_call(http::Response& response, Call& call, Budget& budget);
// While the engine works.
void prepare_description(Call& call, Budget& budget);

}  // namespace penstock::gateway
