// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/ids.h"

namespace penstock::routing {

// Why an endpoint was not a candidate.
enum class FilterReason : std::uint8_t {
    none,
    not_ready,
    protocol,          // the engine speaks another one
    price_limit,       // dearer in a class of tokens than the call allows
    provider_not_in,   // not among `only`, or not in `order` where nobody else may answer
    provider_ignored,  // among `ignore`
    region,
    quantization,
    data_policy,  // its supplier keeps more than the call allows
    tried,        // by this call, before
    breaker,      // left alone after failures
    slow,         // left alone since it answers much later than its load explains
    phase,        // set up for calls of another kind, which others are not
    drained,      // of weight 0
    lower_order,  // a candidate, but one that the call's order or sort put before it was there
};

// What a candidate's score is made of: milliseconds. Lower wins.
struct ScoreTerms {
    double queue = 0;    // until the first token, were nothing of the prompt known there
    double prefix = 0;   // saved, since a beginning of the prompt is known there
    double others = 0;   // what those behind this call wait for what is to be computed of it
    double price = 0;    // dearer than the cheapest candidate
    double network = 0;  // round trip, where its own rates do not have it in them
    double wish = 0;     // later or slower than the call wishes
    double memory = 0;   // the engine's cache is nearly full
    double score() const { return queue - prefix + others + price + network + wish + memory; }
};

struct CandidateNote {
    EndpointId endpoint_id;
    FilterReason filtered = FilterReason::none;
    std::int64_t in_flight = 0;
    std::int64_t matched_tokens = 0;
    bool sticky = false;     // the call's session was there
    bool own_rates = false;  // it is unlike the other engines of the model
    ScoreTerms terms;
};

// How a call found its endpoint, whole: for whoever asks why.
struct Decision {
    enum class Form : std::uint8_t {
        learned,      // milliseconds by learned rates
        reference,    // by ChoiceTree::kReferenceRates: no engine has shown its own
        two_choices,  // fewer calls of two at random: nothing is known of the prompt
    };
    Form form = Form::two_choices;
    bool guarded = false;  // load was so uneven that what is cached did not count
    std::optional<EndpointId> chosen;
    std::vector<CandidateNote> candidates;  // filtered ones too
};

// One line: "learned; ep_… chosen: queue 120.0 − prefix 90.0 + price 3.0 = 33.0 ms; ep_… not_ready"
std::string explain(const Decision& decision);
// What the tenant whose call it was may see of it, the chosen one first: endpoints by the names
// that `name_of` gives, and of what other tenants do there no more than the terms. At most
// kRoutingTextMax bytes; what there is no room for is counted at the end.
constexpr std::size_t kRoutingTextMax = 4096;
std::string explain_to_tenant(
    const Decision& decision, const std::function<std::string(const EndpointId&)>& name_of
);
std::string_view to_text(FilterReason reason);

}  // namespace penstock::routing
