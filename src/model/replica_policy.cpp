// SPDX-License-Identifier: Apache-2.0
#include "model/replica_policy.h"

#include <algorithm>
#include <cmath>

#include "json/codec.h"

namespace penstock {
namespace {

using json::Problems;

constexpr double kTargetMax = 1e9;
constexpr std::int64_t kTtftMsMax = 3'600'000;

void check_target(
    Problems& problems, const char* name, const std::optional<double>& target, bool elastic
) {
    if (!target) return;
    const std::string field = std::string("service.") + name;
    if (!std::isfinite(*target) || *target <= 0 || *target > kTargetMax)
        problems.add(field, "must be above 0 and at most 1000000000");
    else if (!elastic)
        problems.add(
            field,
            "says when replicas are added, but their number is fixed: state "
            "service.replica_policy.max_replicas above min_replicas, or leave it out"
        );
}

void check_spans(const ReplicaPolicy& policy, Problems& problems) {
    const std::pair<const char*, Duration> spans[] = {
        {"cold_start", policy.cold_start},
        {"averaged_over", policy.averaged_over},
        {"shrink_after", policy.shrink_after},
        {"to_zero_after", policy.to_zero_after},
        {"drain", policy.drain},
        {"hold_first_call", policy.hold_first_call},
    };
    for (const auto& [name, span] : spans)
        if (span > kReplicaSpanMax)
            problems.add(std::string("service.replica_policy.") + name, "must be at most 24h");
    if (policy.averaged_over < 1s)
        problems.add("service.replica_policy.averaged_over", "must be at least 1s");
}

void check_policy(const ServiceSpec& service, Problems& problems) {
    const ReplicaPolicy& policy = *service.replica_policy;
    const std::int64_t most = replicas_max(service);
    if (service.replicas)
        problems.add(
            "service.replica_policy",
            "states the number of replicas a second time: drop it or service.replicas"
        );
    if (policy.min_replicas < 0 || policy.min_replicas > kReplicasMax)
        problems.add("service.replica_policy.min_replicas", "must be from 0 to 64");
    if (policy.max_replicas && (most < 1 || most > kReplicasMax || most < policy.min_replicas))
        problems.add(
            "service.replica_policy.max_replicas", "must be from 1 to 64 and at least min_replicas"
        );
    if (policy.spares < 0 || (policy.spares > 0 && policy.spares >= most))
        problems.add(
            "service.replica_policy.spares",
            "must be at least 0 and fewer than max_replicas: they are replicas above the need"
        );
    check_spans(policy, problems);
    if (is_elastic(service) && service.protocol == "http")
        problems.add(
            "service.replica_policy",
            "replicas of protocol http cannot follow load: their calls do not pass the gateway, so "
            "nobody counts them; state service.replicas, or protocol: openai with a model"
        );
}

}  // namespace

bool is_elastic(const ServiceSpec& service) {
    return service.replica_policy && !service.replicas &&
           replicas_max(service) > service.replica_policy->min_replicas;
}

std::int64_t replicas_min(const ServiceSpec& service) {
    if (service.replicas) return *service.replicas;
    return service.replica_policy ? service.replica_policy->min_replicas : 1;
}

std::int64_t replicas_max(const ServiceSpec& service) {
    if (!service.replica_policy || service.replicas) return replicas_min(service);
    const ReplicaPolicy& policy = *service.replica_policy;
    return policy.max_replicas.value_or(std::max<std::int64_t>(1, policy.min_replicas));
}

void check_replicas(const ServiceSpec& service, Problems& problems) {
    const bool elastic = is_elastic(service);
    if (service.replicas && (*service.replicas < 1 || *service.replicas > kReplicasMax))
        problems.add("service.replicas", "must be from 1 to 64");
    if (service.replica_policy) {
        const ReplicaPolicy& policy = *service.replica_policy;
        check_policy(service, problems);
        check_target(
            problems, "replica_policy.target_qps_per_replica", policy.target_qps_per_replica,
            elastic
        );
        check_target(
            problems, "replica_policy.target_tokens_per_replica", policy.target_tokens_per_replica,
            elastic
        );
        check_target(
            problems, "replica_policy.target_in_flight_per_replica",
            policy.target_in_flight_per_replica, elastic
        );
    }
    if (!service.slo) return;
    if (!service.slo->ttft_ms && !service.slo->tok_s)
        problems.add("service.slo", "says nothing: state ttft_ms, tok_s or both");
    check_target(problems, "slo.tok_s", service.slo->tok_s, elastic);
    if (!service.slo->ttft_ms) return;
    if (*service.slo->ttft_ms < 1 || *service.slo->ttft_ms > kTtftMsMax)
        problems.add("service.slo.ttft_ms", "must be from 1 to 3600000");
    else
        check_target(problems, "slo.ttft_ms", static_cast<double>(*service.slo->ttft_ms), elastic);
}

}  // namespace penstock
