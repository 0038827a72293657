// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/money.h"
#include "base/time.h"
#include "gateway/api_answer.h"
#include "http/headers.h"
#include "model/ids.h"
#include "routing/prompt_blocks.h"

namespace penstock::gateway {

// Calls without an Idempotency-Key whose clients left after a part had been charged: what such a
// client sends again and declares as a repetition (x-stainless-retry-count, as the SDKs of OpenAI
// and Anthropic do) is not made, and charged, once more. Requests that are alike and declare
// nothing are calls of their own (docs/adr/0015). Bounded: the oldest goes first. No clock, no I/O.
class DepartedCalls {
  public:
    static constexpr Duration kKeptFor = 60s;
    static constexpr std::size_t kCallsMax = 4096;

    // What two sendings of one request have in common.
    struct Mark {
        KeyId key_id;
        std::string_view model;
        routing::BlockHash prompt = 0;  // of all of it
        std::int64_t prompt_text_bytes = 0;
        std::int64_t output_bound = 0;
    };
    bool empty() const { return calls_.empty(); }
    void add(const Mark& mark, const RequestId& call_id, ExactMoney charge, Time now);
    // 409 naming the call, where the request declares that it repeats one of these.
    ApiResult<void> check(const Mark& mark, const http::Headers& headers, Time now);

  private:
    struct Departed {
        Mark mark;  // its model is below
        std::string model;
        RequestId call_id;
        ExactMoney charge;
        Time at;
    };
    std::deque<Departed> calls_;  // oldest first
};

}  // namespace penstock::gateway
