// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/endpoint.h"
#include "server/api.h"

// What endpoints cost, as it is shown, and how it and the tokenizer are changed. Running calls keep
// the prices they began with.
namespace penstock::server {

// The endpoint with the prices of all classes, fallbacks marked.
Endpoint with_prices(Endpoint endpoint);
// The cheapest of each class over the ready endpoints of a model; `first`: there was none before.
void add_prices(ModelEntry& entry, const Endpoint& endpoint, bool first);
// Nothing where it says "none".
std::optional<Continuation> stated(const std::optional<Continuation>& continuation);
// invalid_argument where engines of the protocol cannot be asked so.
Result<void> check_continuation(
    const std::optional<Continuation>& continuation, std::string_view protocol
);
// Nothing where it says "both".
std::optional<EnginePhase> stated(const std::optional<EnginePhase>& phase);
// invalid_argument where it is not 0 to kWeightMax.
Result<void> check_weight(const std::optional<std::int64_t>& weight);
// Takes effect with the gateways' next route table; not for replicas of services.
// A tokenizer that `wanted` names has been checked.
struct EndpointChange {
    const UpdateEndpoint& wanted;
    const access::Principal& principal;
};
Outcome update_endpoint(
    Platform& platform, Change& change, const EndpointChange& to, const Endpoint& endpoint
);

}  // namespace penstock::server
