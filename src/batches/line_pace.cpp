// SPDX-License-Identifier: Apache-2.0
#include "batches/line_pace.h"

#include <algorithm>
#include <cmath>

namespace penstock::batches {

void LinePace::line_ended(BatchId batch, const std::string& model, Duration took) {
    const auto follow = [took](auto& means, const auto& key) {
        const auto [mean, is_new] = means.try_emplace(key, took);
        if (is_new) return;
        const auto apart = static_cast<double>((took - mean->second).count());
        mean->second += Duration(static_cast<std::int64_t>(kNewest * apart));
    };
    took = std::max(took, Duration{1});
    follow(of_batch_, batch);
    follow(of_model_, model);
}

std::optional<Duration> LinePace::measured(BatchId batch, const std::string& model) const {
    if (const auto own = of_batch_.find(batch); own != of_batch_.end()) return own->second;
    if (const auto all = of_model_.find(model); all != of_model_.end()) return all->second;
    return std::nullopt;
}

void LinePace::places_seen(const std::string& model, std::int64_t places, Time now) {
    const auto seen = static_cast<double>(places);
    const auto [mean, is_new] = places_.try_emplace(model, Places{seen, now});
    if (is_new) return;
    const double span = std::max(0.0, to_seconds(now - mean->second.at));
    const double part = 1 - std::exp(-span / to_seconds(kPlacesOver));
    mean->second.mean += part * (seen - mean->second.mean);
    mean->second.at = now;
}

double LinePace::places(const std::string& model) const {
    const auto found = places_.find(model);
    return found == places_.end() ? 0 : found->second.mean;
}

void LinePace::keep_only(const std::set<BatchId>& batches, const std::set<std::string>& models) {
    std::erase_if(of_batch_, [&](const auto& entry) { return !batches.contains(entry.first); });
    std::erase_if(places_, [&](const auto& entry) { return !models.contains(entry.first); });
    // How long lines take is worth knowing for the next batch of a model.
    constexpr std::size_t kModelsMax = 1'000;
    if (of_model_.size() > kModelsMax)
        std::erase_if(of_model_, [&](const auto& entry) { return !models.contains(entry.first); });
}

}  // namespace penstock::batches
