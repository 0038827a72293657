// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "model/site_prices.h"
#include "scheduler/scheduler.h"

namespace penstock::scheduler {
namespace {

constexpr std::int64_t kSecondsPerHour = 3600;
constexpr std::int64_t kPerThousand = 1000;
constexpr std::int64_t kMibPerGib = 1024;
constexpr std::int64_t kPercent = 100;

std::unexpected<Error> too_large() {
    return fail(
        ErrorCode::invalid_argument,
        "the price of an hour is too large: check the site's price list"
    );
}

// price × amount / per for an hour, in 10⁻¹⁵ yuan, rounded up.
Result<__int128> hourly_part(const Price& price, std::int64_t amount, std::int64_t per) {
    if (price.scale < 0 || price.scale > Price::kScaleMax)
        return fail(
            ErrorCode::invalid_argument,
            "the price " + to_string(price) + " has more than 15 decimals"
        );
    __int128 femto = price.num;
    for (int i = price.scale; i < Price::kScaleMax; ++i)
        if (__builtin_mul_overflow(femto, __int128{10}, &femto)) return too_large();
    if (__builtin_mul_overflow(femto, __int128{amount}, &femto)) return too_large();
    if (__builtin_mul_overflow(femto, __int128{kSecondsPerHour}, &femto)) return too_large();
    return (femto + per - 1) / per;
}

}  // namespace

Result<Price> hourly_price(const Site& site, const ResourceRequest& request) {
    const PriceList& prices = site.spec.prices;
    __int128 sum = TRY(hourly_part(prices.core_second, request.cpu_milli, kPerThousand));
    sum += TRY(hourly_part(prices.gib_second, request.memory_mib, kMibPerGib));
    if (request.accelerator) {
        const auto price = prices.card_second.find(request.accelerator->model);
        if (price == prices.card_second.end())
            return fail(
                ErrorCode::not_found,
                "site " + site.spec.name + " has no price for " + request.accelerator->model
            );
        sum += TRY(hourly_part(price->second, request.accelerator->count_milli, kPerThousand));
    }
    int scale = Price::kScaleMax;
    while (scale > 0 && (sum % 10 == 0 || sum > std::numeric_limits<std::int64_t>::max())) {
        sum = (sum + 9) / 10;
        --scale;
    }
    if (sum > std::numeric_limits<std::int64_t>::max()) return too_large();
    return Price{static_cast<std::int64_t>(sum), scale};
}

std::optional<std::int64_t> price_percent(const Supply& supply, const TaskSpec& spec, Time at) {
    const std::optional<std::int64_t> spot =
        is_spot(spec) ? supply.site->spec.prices.spot_percent : std::nullopt;
    const std::optional<std::int64_t> hour =
        supply.outlook != nullptr ? supply.outlook->price_percent_at(at) : std::nullopt;
    if (!spot || !hour) return spot ? spot : hour;
    return (*spot * *hour + kPercent - 1) / kPercent;
}

Result<Price> hourly_price(
    const Supply& supply, const ResourceRequest& request, const TaskSpec& spec, Time at
) {
    const Price full = TRY(hourly_price(*supply.site, request));
    const std::optional<std::int64_t> percent = price_percent(supply, spec, at);
    return percent ? percent_of(full, *percent) : full;
}

Result<Money> price_of_span(const Price& hourly, Duration span) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(span).count();
    const ExactMoney amount = TRY(multiply(seconds, QuantityScale::one, hourly));
    return ceil_money(ExactMoney((amount.femto() + kSecondsPerHour - 1) / kSecondsPerHour));
}

}  // namespace penstock::scheduler
