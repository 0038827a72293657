// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace penstock::routing {

// What stood before a call when it was sent to an engine, its own prompt included.
struct EngineQueue {
    std::int64_t prefill_tokens = 0;  // to be computed until the first token
    double decode_blocks = 0;         // of context that decoding calls hold
};

// How long an engine takes: time to first token = base + tokens × ms per token + blocks × ms per
// block, fitted to what was observed, newer samples counting more. None of the three is negative.
// Pure.
class EngineRates {
  public:
    struct Rates {
        double base_ms = 0;
        double ms_per_token = 0;
        double ms_per_block = 0;
        double first_token_ms(const EngineQueue& queue) const {
            return base_ms + ms_per_token * static_cast<double>(queue.prefill_tokens) +
                   ms_per_block * queue.decode_blocks;
        }
    };
    static constexpr int kSamplesMin = 8;       // before that the fit says nothing
    static constexpr double kKept = 0.98;       // weight of the past at each sample
    static constexpr Duration kFreshFor = 60s;  // without a sample the fit no longer counts

    void learn(const EngineQueue& queue, Duration first_token, Time now);
    // Nothing while there are too few samples or the last one is too old.
    std::optional<Rates> rates(Time now) const;
    // The last moment at which these rates() count, were there no further sample.
    Time fresh_until() const { return last_ + kFreshFor; }
    std::int64_t samples() const { return samples_; }

  private:
    static constexpr std::size_t kTerms = 3;
    void fit();
    std::optional<std::array<double, kTerms>> solve(unsigned chosen) const;

    std::array<std::array<double, kTerms>, kTerms> products_{};  // Σ w x xᵀ
    std::array<double, kTerms> targets_{};                       // Σ w x y
    std::array<double, kTerms> factors_{};
    std::int64_t samples_ = 0;
    Time last_;
};

}  // namespace penstock::routing
