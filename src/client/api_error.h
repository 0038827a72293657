// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace penstock::client {

// What an answer that is no success tells: the Error for the caller, and when to try again, if it
// says.
struct Refusal {
    Error error;
    std::optional<Duration> retry_after;
};

// From the status, the Retry-After field (seconds; a date is not read) and the problem+json body.
// The body's `code` decides before the status. Several mistakes are told in one message, one per
// line. A body that is no problem is quoted, shortened, so that a proxy's page can be recognised.
Refusal decode_refusal(int status, std::string_view retry_after, std::string_view body);

}  // namespace penstock::client
