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

// How long engines take: time to first token = base + tokens × ms per token + blocks × ms per
// block, fitted to what was observed, newer samples counting more. None of the three is negative.
// Pure.
class EngineRates {
  public:
    // `kept`: weight of the past at each sample.
    explicit EngineRates(double kept = kKept) : kept_(kept) {}
    struct Rates {
        double base_ms = 0;
        double ms_per_token = 0;
        double ms_per_block = 0;
        double first_token_ms(const EngineQueue& queue) const {
            return base_ms + ms_per_token * static_cast<double>(queue.prefill_tokens) +
                   ms_per_block * queue.decode_blocks;
        }
    };
    static constexpr int kSamplesMin = 8;  // before that the fit says nothing
    static constexpr double kKept = 0.98;
    static constexpr Duration kFreshFor = 60s;  // without a sample the fit no longer counts

    void learn(const EngineQueue& queue, Duration first_token, Time now);
    // By the fit as it is, however old.
    double foretold_ms(const EngineQueue& queue) const { return fitted().first_token_ms(queue); }
    // Nothing while there are too few samples or the last one is too old.
    std::optional<Rates> rates(Time now) const;
    // The last moment at which these rates() count, were there no further sample.
    Time fresh_until() const { return last_ + kFreshFor; }
    std::int64_t samples() const { return samples_; }

  private:
    static constexpr std::size_t kTerms = 3;
    Rates fitted() const;
    void fit();
    std::optional<std::array<double, kTerms>> solve(unsigned chosen) const;

    std::array<std::array<double, kTerms>, kTerms> products_{};  // Σ w x xᵀ
    std::array<double, kTerms> targets_{};                       // Σ w x y
    std::array<double, kTerms> factors_{};
    double kept_;
    std::int64_t samples_ = 0;
    Time last_;
};

// One engine beside all engines of its model. A few answers of one engine say little of it: its
// prompts are long where its contexts are, and a cache that nobody knew of makes it look fast for
// long ones, which it then gets. So an engine is taken to be like the others until its own rates
// have foretold its answers much better than the common ones. Pure.
class OwnRates {
  public:
    // Its own rates count where their squared error is below this share of the common ones'.
    static constexpr double kBetter = 0.5;
    // Common rates that are wrong by no more than this share of the time are good enough.
    static constexpr double kTolerated = 0.05;
    // Before it has foretold eight answers it may have been lucky.
    static constexpr int kSamplesMin = 2 * EngineRates::kSamplesMin;

    // `network_ms`: of this engine, which `common` knows nothing of.
    void learn(
        const EngineQueue& queue, Duration first_token, Time now, const EngineRates& common,
        double network_ms
    );
    // Its own, the network included.
    const EngineRates& own() const { return own_; }
    // Its own where it is unlike the others; nothing: the common ones are for it.
    std::optional<EngineRates::Rates> unlike(Time now) const {
        return is_unlike_ ? own_.rates(now) : std::nullopt;
    }

  private:
    EngineRates own_;
    // Σ w (foretold − observed)², newer ones counting more, and Σ w observed².
    double error_ = 0;
    double common_error_ = 0;
    double observed_ = 0;
    bool is_unlike_ = false;
};

}  // namespace penstock::routing
