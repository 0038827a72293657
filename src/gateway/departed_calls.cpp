// SPDX-License-Identifier: Apache-2.0
#include "gateway/departed_calls.h"

#include <algorithm>

namespace penstock::gateway {
namespace {

constexpr std::string_view kHeader = "x-stainless-retry-count";

bool declares_repetition(const http::Headers& headers) {
    const std::string_view count = headers.get(kHeader);
    return !count.empty() && count.find_first_not_of("0123456789") == std::string_view::npos &&
           count.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

void DepartedCalls::add(const Mark& mark, const RequestId& call_id, ExactMoney charge, Time now) {
    if (calls_.size() >= kCallsMax) calls_.pop_front();
    calls_.push_back({mark, std::string(mark.model), call_id, charge, now});
    calls_.back().mark.model = {};
}

ApiResult<void> DepartedCalls::check(const Mark& mark, const http::Headers& headers, Time now) {
    while (!calls_.empty() && calls_.front().at + kKeptFor <= now) calls_.pop_front();
    if (calls_.empty() || !declares_repetition(headers)) return {};
    const auto found = std::ranges::find_if(calls_, [&](const Departed& call) {
        return call.mark.key_id == mark.key_id && call.mark.prompt == mark.prompt &&
               call.mark.prompt_text_bytes == mark.prompt_text_bytes &&
               call.mark.output_bound == mark.output_bound && call.model == mark.model;
    });
    if (found == calls_.end()) return {};
    const std::string id = to_string(found->call_id);
    return std::unexpected(routing::ApiError{
        .status = 409,
        .message = "the call " + id + ", which this request says it repeats, was charged " +
                   exact_text(found->charge) +
                   " yuan for what it had delivered when its client left (GET /v1/generation?id=" +
                   id + "); to pay for a new call, send the request without this header",
        .type = "invalid_request_error",
        .param = std::string(kHeader),
        .code = "repeated_call",
        .final = true
    });
}

}  // namespace penstock::gateway
