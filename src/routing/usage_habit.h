// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace penstock::routing {

// One call that ended well: what its engine told, and what a gateway saw of it without being told.
struct UsageSample {
    std::int64_t input_told = 0;  // all classes together
    std::int64_t input_seen = 0;  // as the gateway counts or guesses the prompt
    std::int64_t output_told = 0;
    std::int64_t output_seen = 0;  // delivered pieces
};

// How what an engine tells of streams is to what a gateway sees of them: for streams that are left
// before it tells. Sums over its last calls, of which the older half counts half. Whole numbers, so
// that an estimate is the same wherever it is made. Pure; one owner.
class UsageHabit {
  public:
    static constexpr std::int64_t kCallsMin = 20;  // fewer say nothing
    static constexpr std::int64_t kCallsMax = 1024;
    static constexpr std::int64_t kTokensMax = 10'000'000;  // of one sample; a larger one is left

    // Samples without tokens on any side are passed over.
    void add(const UsageSample& sample);
    std::int64_t calls() const { return calls_; }
    // What the engine would have told, rounded down; nothing while too few calls are known.
    std::optional<std::int64_t> input(std::int64_t seen) const;
    std::optional<std::int64_t> output(std::int64_t seen) const;

  private:
    std::int64_t calls_ = 0;
    UsageSample sums_;
};

}  // namespace penstock::routing
