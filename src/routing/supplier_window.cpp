// SPDX-License-Identifier: Apache-2.0
#include "routing/supplier_window.h"

#include <algorithm>
#include <cmath>

namespace penstock::routing {
namespace {

constexpr std::int64_t kMillion = 1'000'000;
constexpr int kPriceScale = 6;

// The nearest rank: the smallest value that at least `share` of the samples do not exceed.
Measured quantile(std::vector<double> values, double share) {
    if (values.empty()) return {};
    const double rank = std::ceil(share * static_cast<double>(values.size())) - 1;
    const auto at = values.begin() + std::max<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(rank));
    std::ranges::nth_element(values, at);
    return {*at, static_cast<std::int64_t>(values.size())};
}

}  // namespace

template <class T>
void SupplierWindow::Ring<T>::add(const T& value, Time now) {
    if (kept.size() < kSamplesMax) {
        kept.push_back({value, now});
        return;
    }
    kept[next] = {value, now};
    next = (next + 1) % kSamplesMax;
}

void SupplierWindow::add(const SupplierSample& sample, Time now) { attempts_.add(sample, now); }

void SupplierWindow::add_first_token(Duration after, Time now) { first_tokens_.add(after, now); }

Measured SupplierWindow::first_token_ms(double share, Time now) const {
    std::vector<double> values;
    values.reserve(first_tokens_.kept.size());
    for (const auto& kept : first_tokens_.kept)
        if (now - kept.at <= kSpan) values.push_back(to_seconds(kept.value) * 1000);
    return quantile(std::move(values), share);
}

Measured SupplierWindow::tokens_per_second(double share, Time now) const {
    std::vector<double> values;
    values.reserve(attempts_.kept.size());
    for (const auto& kept : attempts_.kept)
        if (now - kept.at <= kSpan && kept.value.tokens_per_second)
            values.push_back(*kept.value.tokens_per_second);
    return quantile(std::move(values), share);
}

SupplierFigures SupplierWindow::figures(Time now) const {
    constexpr double kMedian = 0.5;
    constexpr double kHigh = 0.95;
    SupplierFigures out{
        .first_token_ms_p50 = first_token_ms(kMedian, now),
        .first_token_ms_p95 = first_token_ms(kHigh, now),
        .tokens_per_second_p50 = tokens_per_second(kMedian, now),
    };
    std::int64_t succeeded = 0;
    __int128 femto = 0;
    for (const auto& kept : attempts_.kept) {
        if (now - kept.at > kSpan) continue;
        ++out.success_share.samples;
        succeeded += kept.value.succeeded ? 1 : 0;
        if (kept.value.tokens <= 0) continue;
        out.tokens_priced += kept.value.tokens;
        femto += kept.value.charge.femto();
    }
    if (out.success_share.samples > 0)
        out.success_share.value =
            static_cast<double>(succeeded) / static_cast<double>(out.success_share.samples);
    if (out.tokens_priced > 0) {
        // Rounded down to a micro-yuan per million tokens: a figure to look at.
        const __int128 micro = femto * kMillion / out.tokens_priced / ExactMoney::kPerMicro;
        out.price_per_million_tokens = Price{static_cast<std::int64_t>(micro), kPriceScale};
    }
    return out;
}

}  // namespace penstock::routing
