// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/time.h"

// What organisations, projects and keys may use of the token service.
namespace penstock {

// How often a budget begins anew: at midnight, on Monday, on the first of the month, all UTC.
enum class BudgetPeriod { none, daily, weekly, monthly };
BOOST_DESCRIBE_ENUM(BudgetPeriod, none, daily, weekly, monthly)

// Absent: no limit of that kind. Minutes and days are those of UTC.
struct Quota {
    static constexpr bool kJsonDefaults = true;
    std::optional<Money> budget;  // of what token calls cost
    BudgetPeriod budget_period = BudgetPeriod::none;
    std::optional<std::int64_t> requests_per_minute;
    std::optional<std::int64_t> requests_per_day;
    std::optional<std::int64_t> tokens_per_minute;  // of input and output together
    std::optional<std::int64_t> tokens_per_day;
    std::optional<std::int64_t> concurrency;  // calls at one time
    bool operator==(const Quota&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Quota, (),
    (budget, budget_period, requests_per_minute, requests_per_day, tokens_per_minute,
     tokens_per_day, concurrency)
)

// The limits of one organisation, project or key. A call must be within those of all three.
struct Limits : Quota {
    static constexpr bool kJsonDefaults = true;
    std::vector<std::string> models;         // that may be asked; empty: all
    std::vector<std::string> providers;      // whose endpoints may answer; empty: all
    std::vector<std::string> sites;          // where they may be; empty: all
    std::map<std::string, Quota> per_model;  // beside the limits on all models together
    bool operator==(const Limits&) const = default;
};
BOOST_DESCRIBE_STRUCT(Limits, (Quota), (models, providers, sites, per_model))

constexpr std::size_t kLimitNamesMax = 256;  // of each list, and of per_model
constexpr std::size_t kLimitNameBytesMax = 256;
constexpr std::int64_t kLimitCountMax = 1'000'000'000'000;
constexpr Money kLimitBudgetMax = Money::micro(1'000'000'000'000'000'000);  // a trillion yuan

// Every mistake at once, each naming its field below `at` ("limits"), the cause and the remedy.
std::vector<Error> check(const Limits& limits, const std::string& at);

// The instant at which the period that contains `now` began, and at which the next one begins;
// the epoch and Time::max() for `none`.
Time period_start(BudgetPeriod period, Time now);
Time period_end(BudgetPeriod period, Time now);

}  // namespace penstock
