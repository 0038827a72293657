// SPDX-License-Identifier: Apache-2.0
#include "routing/attempt_plan.h"

#include <algorithm>

namespace penstock::routing {

Duration attempt_within(int number, Duration left) {
    const Duration whole = std::max(Duration{0}, left);
    if (number + 1 >= kAttemptsMax || whole <= 2 * kAttemptReserve) return whole;
    // The wait before it included: a first or second one.
    return whole - kAttemptReserve - 4 * kBackOffFirst;
}

Duration first_content_within(int number, Duration left) {
    const Duration within = attempt_within(number, left);
    return number + 1 >= kAttemptsMax ? within : std::min(kFirstContentMax, within);
}

std::optional<Duration> back_off(
    int number, std::optional<Duration> retry_after, Duration left, Random& random
) {
    constexpr int kDoublingsMax = 10;
    if (retry_after && *retry_after > kRetryAfterMax) return std::nullopt;
    const Duration bound =
        std::min(kBackOffMax, kBackOffFirst * (1 << std::clamp(number - 1, 0, kDoublingsMax)));
    const auto drawn =
        Duration(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound.count())))
        );
    const Duration wait = std::max(drawn, retry_after.value_or(Duration{0}));
    if (left - wait < kAttemptReserve) return std::nullopt;
    return wait;
}

void RetryBudget::on_call() { tenths_ = std::min(tenths_ + 1, kTokensMax * kCallsPerRetry); }

bool RetryBudget::try_retry() {
    if (tenths_ < kCallsPerRetry) return false;
    tenths_ -= kCallsPerRetry;
    return true;
}

}  // namespace penstock::routing
