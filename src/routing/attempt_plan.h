// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/random.h"
#include "base/time.h"

namespace penstock::routing {

// How the one deadline of a call is divided among its attempts. Pure.

constexpr int kAttemptsMax = 3;
constexpr Duration kFirstContentMax = 60s;  // an attempt that is silent for longer is given up
constexpr Duration kAttemptReserve = 2s;    // what one more attempt needs at least
constexpr Duration kRetryAfterMax = 5s;     // an engine that asks for more is not waited for
constexpr Duration kBackOffFirst = 50ms;
constexpr Duration kBackOffMax = 2s;

// How long attempt `number` (from 0) may take, from now: what is left less a reserve for one more.
// The last one may use all that is left.
Duration attempt_within(int number, Duration left);
// The same for a stream's first content, which has a limit of its own besides.
Duration first_content_within(int number, Duration left);

// How long to wait before attempt `number` (from 1): drawn from zero to a bound that doubles, so
// that callers who failed together do not return together; at least what the engine asked for.
// Nothing where an attempt after it could not finish any more, or where that is more than
// kRetryAfterMax.
std::optional<Duration> back_off(
    int number, std::optional<Duration> retry_after, Duration left, Random& random
);

// Keeps retries and second tries to a share of calls, so that an outage is not answered with a
// storm: each call adds a tenth of a token, each retry takes one.
class RetryBudget {
  public:
    static constexpr int kCallsPerRetry = 10;
    static constexpr int kTokensMax = 100;
    void on_call();
    bool try_retry();
    int retries_left() const { return tenths_ / kCallsPerRetry; }

  private:
    int tenths_ = kTokensMax;  // a tenth full at the start
};

}  // namespace penstock::routing
