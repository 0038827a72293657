// SPDX-License-Identifier: Apache-2.0
#include "tasks/autoscaler.h"

#include <algorithm>
#include <cmath>

namespace penstock::tasks {
namespace {

using Reason = ScaleDecision::Reason;

constexpr std::int64_t kReplicasMax = 100'000;

std::unexpected<Error> wrong(std::string_view field, std::string_view message) {
    return fail_field(ErrorCode::invalid_argument, std::string(field), std::string(message));
}

}  // namespace

Result<void> check_targets(const AutoscaleTargets& targets) {
    if (targets.replicas_min < 0 || targets.replicas_max < 1 ||
        targets.replicas_max > kReplicasMax || targets.replicas_min > targets.replicas_max)
        return wrong("replicas", "expected 0 ≤ min ≤ max ≤ 100000, and max at least 1");
    if (targets.spares < 0 || targets.spares >= targets.replicas_max)
        return wrong("spares", "expected at least 0 and fewer than replicas_max");
    if (targets.first_token <= Duration{0}) return wrong("first_token", "expected more than 0");
    if (!(targets.tokens_per_second > 0) || !std::isfinite(targets.tokens_per_second))
        return wrong("tokens_per_second", "expected what one replica takes, more than 0");
    if (targets.cold_start < Duration{0} || targets.shrink_after < Duration{0} ||
        targets.to_zero_after < Duration{0})
        return wrong("cold_start", "expected spans of at least 0");
    return {};
}

std::string_view to_text(Reason reason) {
    switch (reason) {
        case Reason::enough:
            return "enough";
        case Reason::tokens:
            return "token rate";
        case Reason::first_token:
            return "late first tokens";
        case Reason::first_call:
            return "first call";
        case Reason::idle:
            return "idle";
        case Reason::shrunk:
            return "fewer suffice";
        case Reason::limits:
            return "limits";
    }
    return "";
}

ScaleDecision Autoscaler::tick(const ServiceLoad& load, Time now) {
    observe(load, now);
    ScaleDecision decision = needed(load, now);
    if (decision.reason == Reason::first_token) grown_at_ = now;
    wanted_.push_back({now, decision.replicas});
    while (wanted_.size() > kWantedMax || now - wanted_.front().at > targets_.shrink_after)
        wanted_.pop_front();
    if (decision.reason == Reason::idle) wanted_.clear();
    if (decision.replicas == load.replicas) {
        decision.reason = Reason::enough;
    } else if (decision.replicas < load.replicas && decision.reason != Reason::idle) {
        // The most that was wanted of late, and no more than there is: shrinking never grows.
        const auto most = std::ranges::max_element(wanted_, {}, &Wanted::replicas);
        decision.replicas = std::min(load.replicas, most->replicas);
        decision.reason = decision.replicas < load.replicas ? Reason::shrunk : Reason::enough;
    }
    const std::int64_t within =
        std::clamp(decision.replicas, targets_.replicas_min, targets_.replicas_max);
    if (within != decision.replicas) decision = {within, Reason::limits};
    return decision;
}

// An exponential mean of the rate, and of how fast that mean moves.
void Autoscaler::observe(const ServiceLoad& load, Time now) {
    if (load.calls_arrived > 0 || load.calls_in_flight > 0) last_call_ = now;
    if (!last_tick_) {
        last_tick_ = now;
        return;
    }
    const double span = to_seconds(now - *last_tick_);
    last_tick_ = now;
    if (span <= 0) return;
    const double arrived = static_cast<double>(load.tokens_arrived) / span;
    const double before = rate_;
    rate_ += (1 - std::exp(-span / to_seconds(kSmoothing))) * (arrived - rate_);
    const double slope = (rate_ - before) / span;
    trend_ += (1 - std::exp(-span / to_seconds(kTrendOver))) * (slope - trend_);
}

ScaleDecision Autoscaler::needed(const ServiceLoad& load, Time now) const {
    const bool idle = !last_call_ || now - *last_call_ >= targets_.to_zero_after;
    if (idle && targets_.replicas_min == 0) return {0, Reason::idle};
    const double expected = std::max(rate_, tokens_per_second_expected());
    ScaleDecision decision{
        static_cast<std::int64_t>(std::ceil(
            std::min(expected / targets_.tokens_per_second, static_cast<double>(kReplicasMax))
        )),
        Reason::tokens
    };
    if (decision.replicas < 1 && load.calls_in_flight > 0) decision = {1, Reason::first_call};
    // Not again while what was started for it is not ready yet.
    const bool settled = !grown_at_ || now - *grown_at_ >= targets_.cold_start;
    if (load.first_token_p95 && *load.first_token_p95 > targets_.first_token && settled) {
        const double times = std::min(
            kGrowthMax, to_seconds(*load.first_token_p95) / to_seconds(targets_.first_token)
        );
        const auto more =
            static_cast<std::int64_t>(std::ceil(static_cast<double>(load.replicas) * times));
        if (more > decision.replicas) decision = {more, Reason::first_token};
    }
    if (decision.replicas > 0 || !idle)
        decision.replicas = std::max<std::int64_t>(1, decision.replicas) + targets_.spares;
    return decision;
}

}  // namespace penstock::tasks
