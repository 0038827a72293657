// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>

// The second meter of token calls: the gateway counts their texts with the model's own tokenizer.
namespace penstock {

// What it made of one call. Texts only: what a chat template puts around messages, images, and the
// marks of tool calls are not in it. An absent part was not counted.
struct TextTokens {
    static constexpr bool kJsonDefaults = true;
    std::string tokenizer;  // SHA-256 of its file
    std::optional<std::int64_t> input;
    std::optional<std::int64_t> output_visible;
    std::optional<std::int64_t> output_reasoning;
    bool operator==(const TextTokens&) const = default;
};
BOOST_DESCRIBE_STRUCT(TextTokens, (), (tokenizer, input, output_visible, output_reasoning))

// What the engine of one endpoint told and the gateways counted, over the calls that ended well and
// have both. Differences are of one call, in hundredths of a percent of the engine's number.
struct SecondMeter {
    static constexpr bool kJsonDefaults = true;
    std::int64_t calls = 0;
    std::int64_t input_told = 0;
    std::int64_t input_counted = 0;
    std::int64_t output_told = 0;
    std::int64_t output_counted = 0;
    std::int64_t input_difference_max = 0;
    std::int64_t output_difference_max = 0;
    std::string output_difference_call;  // the call of the last one
    bool operator==(const SecondMeter&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    SecondMeter, (),
    (calls, input_told, input_counted, output_told, output_counted, input_difference_max,
     output_difference_max, output_difference_call)
)

}  // namespace penstock
