// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/task_spec.h"

namespace penstock::json {
class Problems;
}

namespace penstock {

// Of a service that states no target of its own: calls at one time that one replica takes.
constexpr double kInFlightPerReplica = 8;
constexpr Duration kReplicaSpanMax = std::chrono::hours(24);  // of every span in the policy

// Whether the number of its replicas follows its load.
bool is_elastic(const ServiceSpec& service);
// How many it starts with, and has at least.
std::int64_t replicas_min(const ServiceSpec& service);
std::int64_t replicas_max(const ServiceSpec& service);

// Part of parse_task_spec(): replicas, replica_policy and slo.
void check_replicas(const ServiceSpec& service, json::Problems& problems);

}  // namespace penstock
