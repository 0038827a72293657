// SPDX-License-Identifier: Apache-2.0
#include "relay/engine_set.h"

#include <algorithm>

namespace penstock::relay {
namespace {

constexpr int kDrawsMax = 8;  // to find two that may be asked; then all are looked at

}  // namespace

std::optional<std::size_t> EngineSet::begin(
    Random& random, Duration now, std::span<const std::size_t> tried
) {
    const auto usable = [&](std::size_t engine) {
        return engines_[engine].aside_until <= now &&
               std::ranges::find(tried, engine) == tried.end();
    };
    std::optional<std::size_t> best;
    int found = 0;
    for (int draw = 0; draw < kDrawsMax && found < 2; ++draw) {
        const auto engine = static_cast<std::size_t>(random.below(engines_.size()));
        if (!usable(engine) || best == engine) continue;
        ++found;
        if (!best || engines_[engine].in_flight < engines_[*best].in_flight) best = engine;
    }
    const auto first = static_cast<std::size_t>(best ? 0 : random.below(engines_.size()));
    for (std::size_t step = 0; step < engines_.size() && !best; ++step)
        if (const std::size_t engine = (first + step) % engines_.size(); usable(engine))
            best = engine;
    if (best) ++engines_[*best].in_flight;
    return best;
}

void EngineSet::failed(std::size_t engine, Duration now) {
    Engine& one = engines_[engine];
    Duration aside = kAsideFirst;
    for (std::int64_t n = 0; n < one.failures && aside < kAsideMax; ++n) aside *= 2;
    ++one.failures;
    one.aside_until = now + std::min(aside, kAsideMax);
}

std::size_t EngineSet::available(Duration now) const {
    return static_cast<std::size_t>(std::ranges::count_if(engines_, [&](const Engine& one) {
        return one.aside_until <= now;
    }));
}

Duration EngineSet::until_available(Duration now) const {
    Duration soonest = Duration::max();
    for (const Engine& one : engines_) soonest = std::min(soonest, one.aside_until - now);
    return std::max(soonest, Duration{0});
}

}  // namespace penstock::relay
