// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "gateway/api_answer.h"
#include "gateway/call_settings.h"
#include "gateway/gateway.h"
#include "http/message.h"

namespace penstock::gateway {

// What the headers of a call bound it by.
struct CallLimits {
    std::optional<Price> input_price_max;
    std::optional<Price> output_price_max;
    Duration timeout{};
    std::optional<Duration> wait;        // for the first replica of a service
    std::optional<Duration> keep_alive;  // comments in a stream that waits, so often
    StreamPolicy stream;
    Undelivered undelivered = Undelivered::free;
    bool drops = false;    // goes without what an engine's dialect cannot say
    bool explain = false;  // its records are to tell how it found its engines
};
ApiResult<CallLimits> read_call_limits(const http::Headers& headers, const GatewayOptions& options);

// Of other calls, the records of one in so many tell how it found its engines as well.
constexpr std::uint64_t kExplainOneIn = 100;
bool explains(const CallLimits& limits, Random& random);

// The body where it is there already, read or not; else nothing.
std::optional<std::string> call_body_now(http::Request& request);
// The whole body; 413 above GatewayOptions::request_body_max.
io::Task<ApiResult<std::string>> read_call_body(http::Request* request, std::size_t max);

// An Error of ours with the codes that clients look for.
routing::ApiError told(const Error& error);
routing::ApiError busy(std::string message);
routing::ApiError engine_failure(int status, std::string message);
routing::ApiError deadline_passed(std::string before_what);
// What a client is told whose engine's whole answer could not be read, and how its call ends.
// `bytes_max` is what was read of it at most: an answer above is none of the engine's faults.
struct UnreadAnswer {
    routing::ApiError error;
    EndReason reason = EndReason::upstream_error;
};
UnreadAnswer why_unread(const Error& error, std::size_t bytes_max);
routing::ApiError gateway_stopped();  // this process ends
routing::ApiError no_such_model(const std::string& model);

// Statuses after which another endpoint may do better: overload, faults, and answers that show that
// the endpoint was registered wrongly (its key, its model).
bool is_retryable(int status);
// What the client is told of an engine's fault: 503 where it is overloaded (Anthropic says 529) and
// 504 stay what they are.
int shown_fault(int status);
// What is the client's own mistake is told in the engine's words.
bool is_own_mistake(int status);
// In how many seconds an engine wants to be asked again; nothing where it names none. A date is not
// read: it needs clocks that agree.
std::optional<Duration> retry_after_of(const http::Headers& headers);
// What the record says of a call or an attempt that the engine answered so.
EndReason end_of_refusal(int status);

// "a, b, c" for a header: at most 1 KiB, the rest as "and 3 more".
std::string listed(const std::vector<std::string>& names);

}  // namespace penstock::gateway
