// SPDX-License-Identifier: Apache-2.0
#include "model/limits.h"

#include <algorithm>
#include <set>

namespace penstock {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

void check_quota(const Quota& quota, const std::string& at, std::vector<Error>& errors) {
    const auto wrong = [&](const std::string& field, std::string message) {
        errors.push_back({ErrorCode::invalid_argument, std::move(message), at + "." + field});
    };
    if (quota.budget && (*quota.budget < Money() || *quota.budget > kLimitBudgetMax))
        wrong(
            "budget",
            "must be from 0 to a trillion yuan, for instance 5.00; leave it out for no limit"
        );
    if (!quota.budget && quota.budget_period != BudgetPeriod::none)
        wrong("budget_period", "has no budget to begin anew: set the budget as well");
    const auto count = [&](const char* field, const std::optional<std::int64_t>& value) {
        if (value && (*value < 0 || *value > kLimitCountMax))
            wrong(
                field, "is " + std::to_string(*value) + ", which is not from 0 to " +
                           std::to_string(kLimitCountMax) + ": leave it out for no limit"
            );
    };
    count("requests_per_minute", quota.requests_per_minute);
    count("requests_per_day", quota.requests_per_day);
    count("tokens_per_minute", quota.tokens_per_minute);
    count("tokens_per_day", quota.tokens_per_day);
    count("concurrency", quota.concurrency);
}

bool is_name(std::string_view name) {
    if (name.empty() || name.size() > kLimitNameBytesMax) return false;
    return std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

void check_names(
    const std::vector<std::string>& names, const std::string& field, std::vector<Error>& errors
) {
    if (names.size() > kLimitNamesMax)
        errors.push_back(
            {ErrorCode::invalid_argument,
             "has " + std::to_string(names.size()) + " names, at most 256 are possible", field}
        );
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string at = field + "[" + std::to_string(i) + "]";
        if (!is_name(names[i]))
            errors.push_back(
                {ErrorCode::invalid_argument, "must have 1 to 256 bytes without control characters",
                 at}
            );
        else if (!seen.insert(names[i]).second)
            errors.push_back(
                {ErrorCode::invalid_argument, "'" + names[i] + "' is named twice: name it once", at}
            );
    }
}

}  // namespace

std::vector<Error> check(const Limits& limits, const std::string& at) {
    std::vector<Error> errors;
    check_quota(limits, at, errors);
    check_names(limits.models, at + ".models", errors);
    check_names(limits.providers, at + ".providers", errors);
    check_names(limits.sites, at + ".sites", errors);
    if (limits.per_model.size() > kLimitNamesMax)
        errors.push_back(
            {ErrorCode::invalid_argument, "has more than 256 models", at + ".per_model"}
        );
    for (const auto& [model, quota] : limits.per_model) {
        std::string field = at + ".per_model.";
        field += model;
        if (!is_name(model))
            errors.push_back(
                {ErrorCode::invalid_argument,
                 "a model's name has 1 to 256 bytes without control characters", at + ".per_model"}
            );
        check_quota(quota, field, errors);
        if (!limits.models.empty() &&
            std::ranges::find(limits.models, model) == limits.models.end())
            errors.push_back(
                {ErrorCode::invalid_argument,
                 "the model is not among those that may be asked: add it to " + at + ".models",
                 field}
            );
    }
    return errors;
}

Time period_start(BudgetPeriod period, Time now) {
    const sys_days day = std::chrono::floor<days>(now);
    switch (period) {
        case BudgetPeriod::none:
            return Time{};
        case BudgetPeriod::daily:
            return day;
        case BudgetPeriod::weekly:
            return day - (std::chrono::weekday(day) - std::chrono::Monday);
        case BudgetPeriod::monthly: {
            const std::chrono::year_month_day date(day);
            return sys_days(date.year() / date.month() / 1);
        }
    }
    return Time{};
}

Time period_end(BudgetPeriod period, Time now) {
    const Time start = period_start(period, now);
    switch (period) {
        case BudgetPeriod::none:
            return Time::max();
        case BudgetPeriod::daily:
            return start + days(1);
        case BudgetPeriod::weekly:
            return start + days(7);
        case BudgetPeriod::monthly: {
            const std::chrono::year_month_day date(std::chrono::floor<days>(start));
            return sys_days((date.year() / date.month() + std::chrono::months(1)) / 1);
        }
    }
    return Time::max();
}

}  // namespace penstock
