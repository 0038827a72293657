// SPDX-License-Identifier: Apache-2.0
#include "routing/engine_rates.h"

#include <algorithm>

namespace penstock::routing {
namespace {

// Thousands, so that the three terms have about the same size and the fit is well conditioned.
constexpr double kTokensScale = 1000;
constexpr double kBlocksScale = 100;
constexpr double kMsScale = 1000;
constexpr int kSweeps = 12;
// An error of a tenth counts alike for short and long waits; shorter ones than this are alike.
constexpr double kFloor = 0.05;

}  // namespace

void EngineRates::learn(const EngineQueue& queue, Duration first_token, Time now) {
    const std::array<double, kTerms> x{
        1.0, static_cast<double>(queue.prefill_tokens) / kTokensScale,
        queue.decode_blocks / kBlocksScale
    };
    const double y = std::max(0.0, to_seconds(first_token) * 1000 / kMsScale);
    const double weight = 1 / (kFloor + y);
    for (std::size_t i = 0; i < kTerms; ++i) {
        for (std::size_t j = 0; j < kTerms; ++j)
            products_[i][j] = kKept * products_[i][j] + weight * x[i] * x[j];
        targets_[i] = kKept * targets_[i] + weight * x[i] * y;
    }
    ++samples_;
    last_ = now;
    fit();
}

// Coordinate descent on the normal equations; each step is the best value of one factor that is
// not negative. It starts from the last fit, so a few sweeps suffice.
void EngineRates::fit() {
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
        for (std::size_t i = 0; i < kTerms; ++i) {
            if (products_[i][i] <= 0) continue;
            double rest = targets_[i];
            for (std::size_t j = 0; j < kTerms; ++j)
                if (j != i) rest -= products_[i][j] * factors_[j];
            factors_[i] = std::max(0.0, rest / products_[i][i]);
        }
    }
}

std::optional<EngineRates::Rates> EngineRates::rates(Time now) const {
    if (samples_ < kSamplesMin || now - last_ > kFreshFor) return std::nullopt;
    return Rates{
        .base_ms = factors_[0] * kMsScale,
        .ms_per_token = factors_[1] * kMsScale / kTokensScale,
        .ms_per_block = factors_[2] * kMsScale / kBlocksScale,
    };
}

}  // namespace penstock::routing
