// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/money.h"
#include "base/result.h"
#include "model/billing.h"
#include "routing/chat_request.h"
#include "routing/chat_response.h"

namespace penstock::routing {

// Prices of a route, in yuan per million tokens.
struct TokenPrices {
    Price input;
    Price output;
    bool operator==(const TokenPrices&) const = default;
};
// Exact. What was read from a cache or written to one is priced as input, reasoning as output: the
// route has no prices of their own. An absent class adds nothing. A price finer than 10⁻⁹ yuan per
// million tokens is refused.
Result<ExactMoney> charge_of(const TokenCounts& tokens, const TokenPrices& prices);
// Input and output of every class together: what limits on tokens count.
std::int64_t total_tokens(const TokenCounts& tokens);
// What is reserved for a call: the bound at these prices, rounded up to a micro-yuan.
Result<Money> worst_case(const TokenBound& bound, const TokenPrices& prices);

struct MeteredCall {
    TokenCounts tokens;
    UsageBasis basis = UsageBasis::upstream;
    std::uint8_t violations = 0;  // UsageViolation bits
};

// Counts one call. Pure; the owner tells it what the engine reported and what the client received,
// and asks once at the end. However a call ends, the result is within the bound, so that its charge
// is within the hold.
//   done            what the engine reported; without a report, the gateway's own count
//   client_gone     prompt and the pieces delivered; nothing when none was
//   upstream_error, timeout   the pieces delivered, without the prompt; nothing when none was
//   gateway_crash, refused    nothing
// A cut call takes the smaller of count and report, and is never more than the same call done.
class CallMeter {
  public:
    CallMeter(TokenBound bound, std::int64_t prompt_text_bytes)
        : bound_(bound), prompt_text_bytes_(prompt_text_bytes) {}

    // The last report wins: engines that report often report running totals. It covers the pieces
    // delivered so far and those of its own frame; with more pieces after it than it has tokens it
    // says nothing of the output.
    void report(const UpstreamUsage& usage, const DeltaCount& of_its_frame = {}) {
        report(disjoint(usage), of_its_frame);
    }
    void report(const DisjointUsage& usage, const DeltaCount& of_its_frame = {});
    // Pieces that the client's socket took.
    void deliver(const DeltaCount& pieces);
    // An unstreamed answer that the client's socket took: its text stands for the pieces.
    void deliver_text(std::int64_t bytes);
    bool delivered_any() const { return !delivered_.empty() || text_bytes_ > 0; }
    bool has_report() const { return reported_.has_value(); }

    MeteredCall finish(EndReason reason) const;

  private:
    MeteredCall finish_done() const;
    MeteredCall finish_cut(bool with_prompt) const;
    bool is_report_outrun() const;
    DeltaCount counted_output() const;
    std::int64_t counted_input() const;
    void clip(MeteredCall& call) const;

    TokenBound bound_;
    std::int64_t prompt_text_bytes_;
    std::optional<DisjointUsage> reported_;
    std::int64_t pieces_covered_ = 0;  // by the report
    DeltaCount delivered_;
    std::int64_t text_bytes_ = 0;
};

}  // namespace penstock::routing
