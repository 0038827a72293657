// SPDX-License-Identifier: Apache-2.0
#include "tasks/autoscaler.h"

#include <algorithm>
#include <array>
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
    const auto is_target = [](double value) { return std::isfinite(value) && value >= 0; };
    if (!is_target(targets.tokens_per_second) || !is_target(targets.calls_per_second) ||
        !is_target(targets.calls_in_flight) ||
        targets.tokens_per_second + targets.calls_per_second + targets.calls_in_flight <= 0)
        return wrong("tokens_per_second", "expected what one replica takes, more than 0");
    if (targets.first_token < Duration{0} || targets.token_gap < Duration{0})
        return wrong("first_token", "expected a span, or 0 for none");
    if (targets.cold_start < Duration{0} || targets.shrink_after < Duration{0} ||
        targets.to_zero_after < Duration{0})
        return wrong("cold_start", "expected spans of at least 0");
    if (targets.averaged_over <= Duration{0}) return wrong("averaged_over", "expected more than 0");
    return {};
}

std::string_view to_text(Reason reason) {
    switch (reason) {
        case Reason::enough:
            return "enough";
        case Reason::tokens:
            return "token rate";
        case Reason::calls:
            return "call rate";
        case Reason::in_flight:
            return "calls in flight";
        case Reason::first_token:
            return "late first tokens";
        case Reason::speed:
            return "slow streams";
        case Reason::first_call:
            return "first call";
        case Reason::idle:
            return "idle";
        case Reason::shrunk:
            return "fewer suffice";
        case Reason::limits:
            return "limits";
        case Reason::lines:
            return "lines of batches";
    }
    return "";
}

std::string_view word_of(Reason reason) {
    constexpr std::array<std::string_view, 11> kWords{"enough",     "tokens",      "calls",
                                                      "in_flight",  "first_token", "speed",
                                                      "first_call", "idle",        "shrunk",
                                                      "limits",     "lines"};
    return kWords.at(static_cast<std::size_t>(reason));
}

void Autoscaler::resume(std::int64_t replicas, Time now) {
    if (replicas == 0) return;
    last_call_ = now;
    wanted_.push_back({now, replicas});
}

ScaleDecision Autoscaler::tick(const ServiceLoad& load, Time now) {
    observe(load, now);
    ScaleDecision decision = needed(load, now);
    if (decision.reason == Reason::first_token || decision.reason == Reason::speed) grown_at_ = now;
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
    if (within == load.replicas) return {within, Reason::enough};
    if (within != decision.replicas) decision = {within, Reason::limits};
    return decision;
}

void Autoscaler::Rate::observe(double arrived, double span, double averaged_over) {
    const double before = mean;
    mean += (1 - std::exp(-span / averaged_over)) * (arrived / span - mean);
    const double slope = (mean - before) / span;
    trend += (1 - std::exp(-span / (kTrendTimes * averaged_over))) * (slope - trend);
}

void Autoscaler::observe(const ServiceLoad& load, Time now) {
    if (load.calls_arrived > 0 || load.calls_in_flight > 0) last_call_ = now;
    if (!last_tick_) {
        last_tick_ = now;
        return;
    }
    const double span = to_seconds(now - *last_tick_);
    last_tick_ = now;
    if (span <= 0) return;
    const double averaged_over = to_seconds(targets_.averaged_over);
    tokens_.observe(static_cast<double>(load.tokens_arrived), span, averaged_over);
    calls_.observe(static_cast<double>(load.calls_arrived), span, averaged_over);
}

// The target that needs most.
ScaleDecision Autoscaler::needed_for_load(const ServiceLoad& load) const {
    ScaleDecision decision{0, Reason::tokens};
    const auto need = [&](double amount, double target, Reason reason) {
        if (target <= 0 || amount <= 0) return;
        const auto replicas = static_cast<std::int64_t>(
            std::ceil(std::min(amount / target, static_cast<double>(kReplicasMax)))
        );
        if (replicas > decision.replicas) decision = {replicas, reason};
    };
    const auto ahead = [&](const Rate& rate) {
        return std::max(rate.mean, rate.expected(targets_.cold_start));
    };
    need(ahead(tokens_), targets_.tokens_per_second, Reason::tokens);
    need(ahead(calls_), targets_.calls_per_second, Reason::calls);
    need(static_cast<double>(load.calls_in_flight), targets_.calls_in_flight, Reason::in_flight);
    return decision;
}

// Not again while what was started for it is not ready yet.
void Autoscaler::grow_for_calls(ScaleDecision& decision, const ServiceLoad& load, Time now) const {
    if (grown_at_ && now - *grown_at_ < targets_.cold_start) return;
    const auto grow = [&](const std::optional<Duration>& seen, Duration target, Reason reason) {
        if (!seen || target <= Duration{0} || *seen <= target) return;
        const double times = std::min(kGrowthMax, to_seconds(*seen) / to_seconds(target));
        const auto more =
            static_cast<std::int64_t>(std::ceil(static_cast<double>(load.replicas) * times));
        if (more > decision.replicas) decision = {more, reason};
    };
    grow(load.first_token_p95, targets_.first_token, Reason::first_token);
    grow(load.token_gap_p95, targets_.token_gap, Reason::speed);
}

ScaleDecision Autoscaler::needed(const ServiceLoad& load, Time now) const {
    const bool idle = !last_call_ || now - *last_call_ >= targets_.to_zero_after;
    if (idle && targets_.replicas_min == 0) return {0, Reason::idle};
    ScaleDecision decision = needed_for_load(load);
    grow_for_calls(decision, load, now);
    if (decision.replicas > 0 || !idle)
        decision.replicas = std::max<std::int64_t>(1, decision.replicas) + targets_.spares;
    if (load.replicas == 0 && decision.replicas > 0 && !idle) decision.reason = Reason::first_call;
    return decision;
}

}  // namespace penstock::tasks
