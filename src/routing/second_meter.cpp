// SPDX-License-Identifier: Apache-2.0
#include "routing/second_meter.h"

#include <algorithm>
#include <cstdlib>

#include "routing/class_prices.h"

namespace penstock::routing {

std::optional<BothCounts> both_counts(const CallRecord& call) {
    if (call.basis != UsageBasis::upstream || call.end_reason != EndReason::done || !call.counted ||
        !call.counted->input || !call.counted->output_visible)
        return std::nullopt;
    BothCounts both{
        .input_counted = *call.counted->input,
        .output_counted = *call.counted->output_visible + call.counted->output_reasoning.value_or(0)
    };
    for (const TokenClassFacts& facts : kTokenClasses)
        (facts.is_output ? both.output_told : both.input_told) +=
            (call.tokens.*facts.count).value_or(0);
    return both;
}

std::int64_t difference(std::int64_t told, std::int64_t counted) {
    constexpr std::int64_t kPerOne = 10'000;
    return std::abs(told - counted) * kPerOne / std::max<std::int64_t>(1, told);
}

void add(SecondMeter& meter, const CallRecord& call) {
    const std::optional<BothCounts> both = both_counts(call);
    if (!both) return;
    ++meter.calls;
    meter.input_told += both->input_told;
    meter.input_counted += both->input_counted;
    meter.output_told += both->output_told;
    meter.output_counted += both->output_counted;
    meter.input_difference_max =
        std::max(meter.input_difference_max, difference(both->input_told, both->input_counted));
    const std::int64_t output = difference(both->output_told, both->output_counted);
    if (output <= meter.output_difference_max) return;
    meter.output_difference_max = output;
    meter.output_difference_call = to_string(call.id);
}

}  // namespace penstock::routing
