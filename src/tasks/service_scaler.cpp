// SPDX-License-Identifier: Apache-2.0
#include "tasks/service_scaler.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/replica_policy.h"

namespace penstock::tasks {
namespace {

using Reason = ScaleDecision::Reason;

constexpr double kMicrosPerSecond = 1e6;

std::string_view chinese(Reason reason) {
    switch (reason) {
        case Reason::enough:
            return "足够";
        case Reason::tokens:
            return "token 速率";
        case Reason::calls:
            return "调用速率";
        case Reason::in_flight:
            return "并发调用数";
        case Reason::first_token:
            return "首 token 过迟";
        case Reason::speed:
            return "输出过慢";
        case Reason::first_call:
            return "首次调用";
        case Reason::idle:
            return "空闲";
        case Reason::shrunk:
            return "更少即可";
        case Reason::limits:
            return "上下限";
        case Reason::lines:
            return "批处理的行";
    }
    return "";
}

}  // namespace

AutoscaleTargets targets_of(const ServiceSpec& service) {
    const ReplicaPolicy policy = service.replica_policy.value_or(ReplicaPolicy());
    AutoscaleTargets targets{
        .replicas_min = replicas_min(service),
        .replicas_max = replicas_max(service),
        .spares = policy.spares,
        .tokens_per_second = policy.target_tokens_per_replica.value_or(0),
        .calls_per_second = policy.target_qps_per_replica.value_or(0),
        .calls_in_flight = policy.target_in_flight_per_replica.value_or(0),
        .cold_start = policy.cold_start,
        .averaged_over = policy.averaged_over,
        .shrink_after = policy.shrink_after,
        .to_zero_after = policy.to_zero_after
    };
    if (targets.tokens_per_second + targets.calls_per_second + targets.calls_in_flight <= 0)
        targets.calls_in_flight = kInFlightPerReplica;
    if (service.slo && service.slo->ttft_ms)
        targets.first_token = std::chrono::milliseconds(*service.slo->ttft_ms);
    if (service.slo && service.slo->tok_s)
        targets.token_gap =
            Duration(static_cast<std::int64_t>(kMicrosPerSecond / *service.slo->tok_s));
    return targets;
}

std::int64_t ServiceScaler::lent(const TaskId& id) const {
    const auto found = lent_.find(id);
    return found == lent_.end() ? 0 : found->second.replicas;
}

void ServiceScaler::lend(Lent& lent, const LinesAsk& lines, std::int64_t needed, Time now) {
    if (lines.without_place > 0 && lent.replicas > 0) {
        lent.replicas = std::max<std::int64_t>(0, lent.replicas - lines.without_place);
        lent.rests_until = now + kLentRest;
    }
    if (lines.replicas == 0) lent.replicas = 0;
    const bool wanted = lines.replicas > needed + lent.replicas;
    if (wanted && lines.may_grow && lines.without_place == 0 && now >= lent.rests_until)
        ++lent.replicas;
}

std::optional<ReplicaChange> ServiceScaler::tick(
    const TaskId& id, const ServiceSpec& service, std::int64_t replicas, Time now,
    const LinesAsk& lines
) {
    const AutoscaleTargets targets = targets_of(service);
    const auto [found, is_new] = autoscalers_.try_emplace(id, targets);
    Autoscaler& autoscaler = found->second;
    Lent& lent = lent_[id];
    if (is_new) autoscaler.resume(replicas, now);
    ServiceLoad load = loads.take(id, targets.averaged_over, now);
    load.replicas = std::max<std::int64_t>(0, replicas - lent.replicas);
    ScaleDecision decision = autoscaler.tick(load, now);
    // What lines had is there for calls at once.
    lent.replicas -= std::clamp<std::int64_t>(decision.replicas - load.replicas, 0, lent.replicas);
    lend(lent, lines, decision.replicas, now);
    lent.replicas = std::min(lent.replicas, targets.replicas_max - decision.replicas);
    if (decision.replicas == load.replicas) decision.reason = Reason::lines;
    decision.replicas += lent.replicas;
    if (decision.replicas == replicas) return std::nullopt;
    ReplicaChange change{
        .replicas = decision.replicas,
        .reason = std::string(word_of(decision.reason)),
        .drain = service.replica_policy->drain
    };
    const double tokens = autoscaler.tokens_per_second(), calls = autoscaler.calls_per_second();
    change.message = fmt::format(
        "{} → {} replicas: {}; {:.1f} tokens/s, {:.2f} calls/s, {} calls in flight", replicas,
        decision.replicas, to_text(decision.reason), tokens, calls, load.calls_in_flight
    );
    change.message_zh = fmt::format(
        "副本 {} → {}：{}；每秒 {:.1f} token，每秒 {:.2f} 次调用，{} 个调用进行中", replicas,
        decision.replicas, chinese(decision.reason), tokens, calls, load.calls_in_flight
    );
    if (load.first_token_p95)
        change.message += fmt::format("; first token p95 {} ms", to_ms(*load.first_token_p95));
    return change;
}

void ServiceScaler::keep_only(const std::set<TaskId>& ids) {
    std::erase_if(autoscalers_, [&](const auto& entry) { return !ids.contains(entry.first); });
    std::erase_if(lent_, [&](const auto& entry) { return !ids.contains(entry.first); });
    loads.keep_only(ids);
}

}  // namespace penstock::tasks
