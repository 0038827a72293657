// SPDX-License-Identifier: Apache-2.0
#include "routing/usage_habit.h"

#include <algorithm>
#include <limits>

namespace penstock::routing {
namespace {

std::int64_t scaled(std::int64_t seen, std::int64_t told_sum, std::int64_t seen_sum) {
    __extension__ using Wide = __int128;
    const Wide value = Wide{seen} * told_sum / seen_sum;
    return static_cast<std::int64_t>(std::min(value, Wide{std::numeric_limits<std::int64_t>::max()})
    );
}

}  // namespace

void UsageHabit::add(const UsageSample& sample) {
    const auto [least, most] =
        std::minmax({sample.input_told, sample.input_seen, sample.output_told, sample.output_seen});
    if (least <= 0 || most > kTokensMax) return;
    if (calls_ == kCallsMax) {
        calls_ /= 2;
        for (std::int64_t UsageSample::* const each :
             {&UsageSample::input_told, &UsageSample::input_seen, &UsageSample::output_told,
              &UsageSample::output_seen})
            sums_.*each /= 2;
    }
    ++calls_;
    sums_.input_told += sample.input_told;
    sums_.input_seen += sample.input_seen;
    sums_.output_told += sample.output_told;
    sums_.output_seen += sample.output_seen;
}

std::optional<std::int64_t> UsageHabit::input(std::int64_t seen) const {
    if (calls_ < kCallsMin) return std::nullopt;
    return scaled(seen, sums_.input_told, sums_.input_seen);
}

std::optional<std::int64_t> UsageHabit::output(std::int64_t seen) const {
    if (calls_ < kCallsMin) return std::nullopt;
    return scaled(seen, sums_.output_told, sums_.output_seen);
}

}  // namespace penstock::routing
