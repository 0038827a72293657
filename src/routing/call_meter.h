// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/billing.h"
#include "model/call_settings.h"
#include "model/disconnect.h"
#include "routing/chat_response.h"
#include "routing/class_prices.h"
#include "routing/usage_habit.h"

namespace penstock::routing {

struct MeteredCall {
    TokenCounts tokens;
    UsageBasis basis = UsageBasis::upstream;
    std::uint8_t violations = 0;      // UsageViolation bits
    std::int64_t overlap_tokens = 0;  // reported as input and left out
};

// How a call is charged whose client has left.
struct LeftCall {
    DisconnectPolicy policy = DisconnectPolicy::cancel_count;
    Undelivered undelivered = Undelivered::free;  // where nothing had been delivered
    bool read_to_end = false;                     // after the client had left
    const UsageHabit* habit = nullptr;            // of the engine; null: not known
};

// Counts one call. Pure; the owner tells it what the engine reported and what the client received,
// and asks once at the end. However a call ends, the result is within the bound, so that its charge
// is within the hold.
//   done            what the engine reported; without a report, the gateway's own count
//   client_gone     by the engine's policy; prompt and the pieces delivered, where it has none
//       cancel_estimate   what was not reported as the engine tells it of other streams, where it
//                         has told enough of them
//       drain             as done, where it was read to its end
//       no_bill           nothing
//     Where no piece was delivered nothing, or the prompt, as the call's settings say.
//   upstream_error, timeout, gateway_stopped
//                   the pieces delivered, without the prompt; nothing when none was
//   gateway_crash, refused    nothing
// A cut call takes the smaller of count and report: no class of it is more than what the engine has
// reported, so that it never costs more than the same call done, whatever the classes cost. What
// was not reported by then is counted: the prompt as fresh input, pieces as they were delivered.
// The basis is `counted` where a tokenizer or delivered pieces stand for what was not reported, and
// `estimated` where anything that is charged follows from the size of a text.
// Of an engine that goes on with an answer, `overlap` tokens of it were charged as another engine's
// output; as many are taken off the input that it reports: fresh ones first, then written to a
// cache, then read from one. What the gateway counts of a prompt has no answer in it.
class CallMeter {
  public:
    CallMeter(TokenBound bound, std::int64_t prompt_text_bytes, std::int64_t overlap = 0)
        : bound_(bound), prompt_text_bytes_(prompt_text_bytes), overlap_(overlap) {}

    // The last report wins: engines that report often report running totals. It covers the pieces
    // delivered so far and those of its own frame; with more pieces after it than it has tokens it
    // says nothing of the output. True: it contradicts itself or the bound, so that the engine's
    // own words of it are to be kept.
    bool report(const UpstreamUsage& usage, const DeltaCount& of_its_frame = {}) {
        return report(disjoint(usage), of_its_frame);
    }
    bool report(const DisjointUsage& usage, const DeltaCount& of_its_frame = {});
    // Of the last report, clipped to kUsageTextMax.
    void keep_words(std::string_view usage);
    const std::string& words() const { return words_; }
    // Pieces that the client's socket took.
    void deliver(const DeltaCount& pieces);
    // An unstreamed answer that the client's socket took: its text stands for the pieces.
    void deliver_text(std::int64_t bytes);
    // What the gateway counted with the model's own tokenizer: stands for its measures above, where
    // the engine told nothing. `output`: of the texts that the client's socket took.
    void count_texts(std::optional<std::int64_t> input, const std::optional<DeltaCount>& output) {
        input_counted_ = input;
        output_counted_ = output;
    }
    std::int64_t pieces() const {
        return delivered_.visible + delivered_.reasoning + delivered_.audio;
    }
    bool delivered_any() const { return !delivered_.empty() || text_bytes_ > 0; }
    bool has_report() const { return reported_.has_value(); }

    MeteredCall finish(EndReason reason, const LeftCall& left = {}) const;
    // What a call that ended well says of its engine; nothing where it was told too little.
    std::optional<UsageSample> sample() const;

  private:
    MeteredCall finish_done() const;
    MeteredCall finish_cut(bool with_prompt) const;
    MeteredCall finish_left(const LeftCall& left) const;
    MeteredCall finish_estimated(const UsageHabit& habit) const;
    MeteredCall prompt_alone() const;
    bool is_report_outrun() const;
    DeltaCount counted_output() const;
    UsageBasis basis_of_output() const;
    std::int64_t counted_input() const;
    void count_input(MeteredCall& call) const;
    void leave_out_overlap(MeteredCall& call) const;
    void clip(MeteredCall& call) const;

    TokenBound bound_;
    std::int64_t prompt_text_bytes_;
    std::int64_t overlap_;
    std::optional<DisjointUsage> reported_;
    std::string words_;
    std::int64_t pieces_covered_ = 0;  // by the report
    DeltaCount delivered_;
    std::int64_t text_bytes_ = 0;
    bool whole_ = false;                         // the answer, which has no pieces
    std::optional<std::int64_t> input_counted_;  // by a tokenizer
    std::optional<DeltaCount> output_counted_;
};

}  // namespace penstock::routing
