// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <boost/describe/enum.hpp>
#include <string_view>

// What calls may ask of an engine beside its model: what its supplier keeps, and how its weights
// are stored.
namespace penstock {

// What its supplier says it does with prompts and answers. Not said: taken as `collects`.
enum class DataPolicy {
    collects,       // may keep them and train on them
    no_training,    // keeps nothing but for a time, for its own operation; trains on nothing
    zero_retention  // keeps nothing
};
BOOST_DESCRIBE_ENUM(DataPolicy, collects, no_training, zero_retention)

constexpr std::array<std::string_view, 9> kQuantizations{"int4", "int8", "fp4",  "fp6",    "fp8",
                                                         "fp16", "bf16", "fp32", "unknown"};

}  // namespace penstock
