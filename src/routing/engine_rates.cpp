// SPDX-License-Identifier: Apache-2.0
#include "routing/engine_rates.h"

#include <algorithm>
#include <array>

namespace penstock::routing {
namespace {

// Thousands, so that the three terms have about the same size and the fit is well conditioned.
constexpr double kTokensScale = 1000;
constexpr double kBlocksScale = 100;
constexpr double kMsScale = 1000;
constexpr double kPivotMin = 1e-9;  // of a term's own square: below, it is a mix of the others
constexpr double kGainMin = 1e-9;   // a further term must explain more than rounding does
// An error of a tenth counts alike for short and long waits; shorter ones than this are alike.
constexpr double kFloor = 0.05;

double observed_of(Duration first_token) {
    return std::max(0.0, to_seconds(first_token) * 1000 / kMsScale);
}
double weight_of(double observed) { return 1 / (kFloor + observed); }

}  // namespace

void EngineRates::learn(const EngineQueue& queue, Duration first_token, Time now) {
    const std::array<double, kTerms> x{
        1.0, static_cast<double>(queue.prefill_tokens) / kTokensScale,
        queue.decode_blocks / kBlocksScale
    };
    const double y = observed_of(first_token);
    const double weight = weight_of(y);
    for (std::size_t i = 0; i < kTerms; ++i) {
        for (std::size_t j = 0; j < kTerms; ++j)
            products_[i][j] = kept_ * products_[i][j] + weight * x[i] * x[j];
        targets_[i] = kept_ * targets_[i] + weight * x[i] * y;
    }
    ++samples_;
    last_ = now;
    fit();
}

// The best factors that are not negative: of every choice of terms the exact solution of its normal
// equations, and of those the one that explains most. An iteration would stop early where the terms
// go together, and an engine that looks slow by that gets no calls to correct it.
void EngineRates::fit() {
    constexpr unsigned kChoices = 1U << kTerms;
    double explained = 0;
    std::array<double, kTerms> best{};
    for (unsigned chosen = 1; chosen < kChoices; ++chosen) {
        const std::optional<std::array<double, kTerms>> factors = solve(chosen);
        if (!factors || std::ranges::any_of(*factors, [](double each) { return each < 0; }))
            continue;
        double gain = 0;
        for (std::size_t i = 0; i < kTerms; ++i) gain += targets_[i] * (*factors)[i];
        if (gain <= explained * (1 + kGainMin)) continue;
        explained = gain;
        best = *factors;
    }
    factors_ = best;
}

// Gauss-Jordan over the chosen terms; nothing where they cannot be told apart.
std::optional<std::array<double, EngineRates::kTerms>> EngineRates::solve(unsigned chosen) const {
    auto left = products_;
    auto right = targets_;
    const auto has = [&](std::size_t i) { return (chosen >> i & 1U) != 0; };
    for (std::size_t i = 0; i < kTerms; ++i) {
        if (!has(i)) continue;
        const double pivot = left[i][i];
        if (pivot <= kPivotMin * products_[i][i]) return std::nullopt;
        for (std::size_t row = 0; row < kTerms; ++row) {
            if (row == i || !has(row)) continue;
            const double factor = left[row][i] / pivot;
            for (std::size_t j = 0; j < kTerms; ++j) left[row][j] -= factor * left[i][j];
            right[row] -= factor * right[i];
        }
    }
    std::array<double, kTerms> out{};
    for (std::size_t i = 0; i < kTerms; ++i)
        if (has(i)) out[i] = right[i] / left[i][i];
    return out;
}

std::optional<EngineRates::Rates> EngineRates::rates(Time now) const {
    if (samples_ < kSamplesMin || now - last_ > kFreshFor) return std::nullopt;
    return fitted();
}

EngineRates::Rates EngineRates::fitted() const {
    return {
        .base_ms = factors_[0] * kMsScale,
        .ms_per_token = factors_[1] * kMsScale / kTokensScale,
        .ms_per_block = factors_[2] * kMsScale / kBlocksScale,
    };
}

// Both have foretold the answer before either learns from it.
void OwnRates::learn(
    const EngineQueue& queue, Duration first_token, Time now, const EngineRates& common,
    double network_ms
) {
    if (own_.samples() >= EngineRates::kSamplesMin) {
        const double y = observed_of(first_token);
        const double weight = weight_of(y);
        const auto add = [&](double& sum, double value) {
            sum = EngineRates::kKept * sum + weight * value * value;
        };
        add(error_, own_.foretold_ms(queue) / kMsScale - y);
        add(common_error_, (common.foretold_ms(queue) + network_ms) / kMsScale - y);
        add(observed_, y);
        is_unlike_ = own_.samples() >= kSamplesMin && error_ < kBetter * common_error_ &&
                     common_error_ > kTolerated * kTolerated * observed_;
    }
    own_.learn(queue, first_token, now);
}

}  // namespace penstock::routing
