// SPDX-License-Identifier: Apache-2.0
#include "gateway/choice_metrics.h"

#include <algorithm>
#include <string_view>

namespace penstock::gateway {
namespace {

// In their order.
constexpr std::array<std::string_view, 7> kReasonNames{"none",          "uneven_load",
                                                       "session",       "cached_prompt",
                                                       "learned_rates", "reference_rates",
                                                       "two_choices"};
constexpr std::array<std::string_view, 15> kFilterNames{
    "",       "not_ready",    "protocol",    "price_limit", "provider_not_in", "provider_ignored",
    "region", "quantization", "data_policy", "tried",       "breaker",         "slow",
    "phase",  "drained",      "lower_order"
};

}  // namespace

ChoiceMetrics::ChoiceMetrics(telemetry::Registry& registry) {
    static_assert(kReasonNames.size() == kReasons && kFilterNames.size() == kFilters);
    for (std::size_t reason = 0; reason < kReasons; ++reason)
        choices_[reason] = &registry.counter(
            "penstock_gateway_choices_total",
            "Choices of an engine for an attempt by why it was taken, the first of: load was so "
            "uneven that caches did not count; the session was there; it knows a beginning of the "
            "prompt; then by what the score was made of. none: no engine could be taken.",
            {{"reason", kReasonNames[reason]}}
        );
    for (std::size_t filter = 1; filter < kFilters; ++filter)
        left_out_[filter] = &registry.counter(
            "penstock_gateway_candidates_left_out_total",
            "Endpoints that a choice looked at and left out, by why.",
            {{"reason", kFilterNames[filter]}}
        );
}

void ChoiceMetrics::on_choice(const routing::Decision& decision) {
    choices_[static_cast<std::size_t>(reason_of(decision))]->add();
    for (const routing::CandidateNote& note : decision.candidates)
        if (note.filtered != routing::FilterReason::none)
            left_out_[static_cast<std::size_t>(note.filtered)]->add();
}

ChoiceMetrics::Reason ChoiceMetrics::reason_of(const routing::Decision& decision) {
    if (!decision.chosen) return Reason::none;
    if (decision.guarded) return Reason::uneven_load;
    const auto chosen = std::ranges::find(
        decision.candidates, *decision.chosen, &routing::CandidateNote::endpoint_id
    );
    if (chosen != decision.candidates.end()) {
        if (chosen->sticky) return Reason::session;
        if (chosen->matched_tokens > 0) return Reason::cached_prompt;
    }
    switch (decision.form) {
        case routing::Decision::Form::learned:
            return Reason::learned_rates;
        case routing::Decision::Form::reference:
            return Reason::reference_rates;
        case routing::Decision::Form::two_choices:
            return Reason::two_choices;
    }
    return Reason::none;
}

}  // namespace penstock::gateway
