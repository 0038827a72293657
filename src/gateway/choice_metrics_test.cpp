// SPDX-License-Identifier: Apache-2.0
#include "gateway/choice_metrics.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock::gateway {
namespace {

using routing::CandidateNote;
using routing::Decision;
using routing::FilterReason;

const EndpointId kFirst(RawId{7, 1});
const EndpointId kSecond(RawId{7, 2});

Decision chosen(CandidateNote note, Decision::Form form = Decision::Form::learned) {
    note.endpoint_id = kFirst;
    return {.form = form, .chosen = kFirst, .candidates = {note}};
}

std::string line(std::string_view reason, int count) {
    return "penstock_gateway_choices_total{reason=\"" + std::string(reason) + "\"} " +
           std::to_string(count) + "\n";
}

TEST(ChoiceMetrics, TellWhyAnEngineWasTaken) {
    telemetry::Registry registry;
    ChoiceMetrics metrics(registry);

    metrics.on_choice(chosen({}));
    metrics.on_choice(chosen({}, Decision::Form::reference));
    metrics.on_choice(chosen({}, Decision::Form::two_choices));
    metrics.on_choice(chosen({.matched_tokens = 64}));
    metrics.on_choice(chosen({.matched_tokens = 64, .sticky = true}));
    Decision uneven = chosen({.matched_tokens = 64, .sticky = true});
    uneven.guarded = true;
    metrics.on_choice(uneven);

    const std::string text = registry.render();
    EXPECT_TRUE(text.contains("# TYPE penstock_gateway_choices_total counter\n"));
    EXPECT_TRUE(text.contains(
        line("cached_prompt", 1) + line("learned_rates", 1) + line("none", 0) +
        line("reference_rates", 1) + line("session", 1) + line("two_choices", 1) +
        line("uneven_load", 1)
    )) << text;
}

TEST(ChoiceMetrics, TellWhyOthersWereLeftOut) {
    telemetry::Registry registry;
    ChoiceMetrics metrics(registry);

    metrics.on_choice(
        {.candidates =
             {{.endpoint_id = kFirst, .filtered = FilterReason::breaker},
              {.endpoint_id = kSecond, .filtered = FilterReason::lower_order}}}
    );

    const std::string text = registry.render();
    EXPECT_TRUE(text.contains(line("none", 1))) << text;
    const std::string name = "penstock_gateway_candidates_left_out_total";
    EXPECT_TRUE(text.contains(name + "{reason=\"breaker\"} 1\n")) << text;
    EXPECT_TRUE(text.contains(name + "{reason=\"lower_order\"} 1\n")) << text;
    EXPECT_TRUE(text.contains(name + "{reason=\"tried\"} 0\n")) << text;
}

}  // namespace
}  // namespace penstock::gateway
