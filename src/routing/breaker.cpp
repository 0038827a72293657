// SPDX-License-Identifier: Apache-2.0
#include "routing/breaker.h"

#include <algorithm>

namespace penstock::routing {

Breaker::State Breaker::state(Time now) const {
    if (!open_) return State::closed;
    if (probing_) return State::probing;
    return now >= open_until_ ? State::half_open : State::open;
}

BreakerStatus Breaker::status(Time now) const {
    if (!open_) return {};
    BreakerStatus status{
        .cause = slow_ ? BreakerCause::slowness : BreakerCause::failures,
        .since = opened_at_,
        .times_opened = opened_
    };
    switch (state(now)) {
        case State::closed:
            break;
        case State::open:
            status.state = BreakerState::open;
            break;
        case State::half_open:
            status.state = BreakerState::half_open;
            break;
        case State::probing:
            status.state = BreakerState::probing;
            break;
    }
    if (!probing_) status.next_probe = open_until_;
    return status;
}

bool Breaker::begin(Time now) {
    const bool probe = state(now) == State::half_open;
    probing_ |= probe;
    return probe;
}

void Breaker::end(bool probe, AttemptOutcome outcome, Time now) {
    if (probe) probing_ = false;
    if (outcome == AttemptOutcome::abandoned) return;
    const bool failed = outcome == AttemptOutcome::failed;
    if (open_) {
        // Calls that were under way when it opened say nothing new.
        if (!probe) return;
        if (failed)
            open(slow_, now);
        else
            close();
        return;
    }
    attempts_[attempts_count_++ % kAttemptsKept] = {now, failed};
    std::size_t recent = 0;
    std::size_t failures = 0;
    for (std::size_t i = 0; i < std::min(attempts_count_, kAttemptsKept); ++i) {
        if (now - attempts_[i].at > kWindow) continue;
        ++recent;
        failures += attempts_[i].failed ? 1 : 0;
    }
    if (failed && recent >= kAttemptsMin &&
        static_cast<double>(failures) >= kErrorShare * static_cast<double>(recent))
        open(false, now);
}

void Breaker::first_token(double slowness, Time now) {
    if (open_) return;
    first_tokens_[first_tokens_count_++ % kSlownessMin] = {now, slowness};
    if (first_tokens_count_ < kSlownessMin) return;
    std::array<double, kSlownessMin> recent{};
    for (std::size_t i = 0; i < kSlownessMin; ++i) {
        if (now - first_tokens_[i].at > kWindow) return;
        recent[i] = first_tokens_[i].slowness;
    }
    auto* const middle = recent.begin() + kSlownessMin / 2;
    std::ranges::nth_element(recent, middle);
    if (*middle >= kSlowTimes) open(true, now);
}

void Breaker::open(bool slow, Time now) {
    constexpr int kDoublingsMax = 5;
    if (!open_) opened_at_ = now;
    open_ = true;
    slow_ = slow;
    open_until_ = now + std::min(kOpenMax, kOpenFirst * (1 << std::min(opened_, kDoublingsMax)));
    ++opened_;
}

void Breaker::close() {
    open_ = slow_ = false;
    opened_ = 0;
    attempts_count_ = first_tokens_count_ = 0;
}

}  // namespace penstock::routing
