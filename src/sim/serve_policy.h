// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "sim/serve_trace.h"

namespace penstock::sim {

// What a router may see of the fleet: what it sent where, what came back, and, for policies that
// ask for it, what engines report. Replicas are numbered from 0; calls as in the trace.
class ServePolicy {
  public:
    virtual ~ServePolicy() = default;
    // These replicas take calls from now on; others finish what they have. At least one.
    struct Replica {
        std::size_t index = 0;
        double rtt_ms = 0;  // from the router
    };
    virtual void set_replicas(const std::vector<Replica>& replicas) = 0;
    virtual std::size_t choose(std::size_t call, const ServeRequest& request, Time now) = 0;
    virtual void first_token(std::size_t call, Time now) = 0;
    virtual void done(std::size_t call, Time now) = 0;
    // Reports of engines.
    virtual void stored(std::size_t replica, routing::BlockHash block, Time now);
    virtual void removed(std::size_t replica, routing::BlockHash block);
    virtual void load(std::size_t replica, double cache_used_share, std::size_t waiting, Time now);
};

// The policies, by name:
//   round_robin    one after the other
//   least_loaded   fewest calls in flight; equal ones by chance
//   two_choices    fewer calls in flight of two drawn at random
//   sglang         longest known prefix if above 30 % of the prompt, else least loaded; least
//   loaded
//                  as well while in-flight calls differ by more than 64 and 1.5 times
//   dynamo         least (prompt blocks to compute, those before it included, + context blocks
//                  held); which blocks are cached is reported by the engines
//   penstock       routing::EndpointPool, as the gateway runs it
//   penstock_kv    the same, with what engines report of their caches and queues
const std::vector<std::string_view>& serve_policy_names();
Result<std::unique_ptr<ServePolicy>> make_serve_policy(std::string_view name, Random& random);

}  // namespace penstock::sim
