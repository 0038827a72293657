// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/endpoint.h"

namespace penstock::routing {

// Two counts of one call, where they can be held against each other: the engine told all of it, it
// ended well, and its texts were counted.
struct BothCounts {
    std::int64_t input_told = 0;
    std::int64_t input_counted = 0;
    std::int64_t output_told = 0;
    std::int64_t output_counted = 0;
};
std::optional<BothCounts> both_counts(const CallRecord& call);
// |told − counted| in hundredths of a percent of what was told, of one token at least.
std::int64_t difference(std::int64_t told, std::int64_t counted);
// Changes nothing where there are not two counts.
void add(SecondMeter& meter, const CallRecord& call);

}  // namespace penstock::routing
