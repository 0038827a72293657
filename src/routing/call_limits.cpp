// SPDX-License-Identifier: Apache-2.0
#include "routing/call_limits.h"

#include <algorithm>

namespace penstock::routing {
namespace {

struct LevelLimits {
    Level level;
    RawId subject;
    const std::optional<Limits>* limits;
};

std::array<LevelLimits, 3> levels_of(const ResolvedKey& key) {
    return {
        {{Level::organisation, key.organisation_id.raw(), &key.organisation_limits},
         {Level::project, key.project_id.raw(), &key.project_limits},
         {Level::key, key.key_id.raw(), &key.key_limits}}
    };
}

void add_demands(
    const LevelLimits& at, std::uint32_t model, const Quota& quota, const CallNeeds& needs,
    std::vector<Demand>& out
) {
    const auto add = [&](Measure measure, BudgetPeriod period, Units units, Units limit) {
        AccountKey account;
        account.subject = at.subject;
        account.level = at.level;
        account.model = model;
        account.measure = measure;
        account.period = period;
        account.period_start_us =
            period_start(period, needs.admitted_at).time_since_epoch().count();
        out.push_back({account, units, limit});
    };
    const auto count = [&](Measure measure, BudgetPeriod period, std::int64_t units,
                           const std::optional<std::int64_t>& limit) {
        if (limit) add(measure, period, Units::whole(units), Units::whole(*limit));
    };
    using enum BudgetPeriod;
    count(Measure::concurrency, none, 1, quota.concurrency);
    count(Measure::requests_minute, none, 1, quota.requests_per_minute);
    if (needs.unbilled) return;
    count(Measure::tokens_minute, none, needs.tokens, quota.tokens_per_minute);
    count(Measure::requests_day, daily, 1, quota.requests_per_day);
    count(Measure::tokens_day, daily, needs.tokens, quota.tokens_per_day);
    if (quota.budget)
        add(Measure::budget, quota.budget_period, Units::of(needs.amount),
            Units::of(*quota.budget));
}

// How people name the limit, and its field.
struct LimitName {
    std::string_view field;
    std::string_view words;
};
LimitName name_of(Measure measure) {
    switch (measure) {
        case Measure::wallet:
            return {"wallet", "yuan"};
        case Measure::budget:
            return {"budget", "yuan"};
        case Measure::requests_minute:
            return {"requests_per_minute", "requests per minute"};
        case Measure::tokens_minute:
            return {"tokens_per_minute", "tokens per minute"};
        case Measure::requests_day:
            return {"requests_per_day", "requests per day"};
        case Measure::tokens_day:
            return {"tokens_per_day", "tokens per day"};
        case Measure::concurrency:
            return {"concurrency", "calls at one time"};
    }
    return {};
}

bool is_rate(Measure measure) {
    return measure == Measure::requests_minute || measure == Measure::tokens_minute;
}

std::optional<Time> reset_of(const AccountKey& account, Time now) {
    if (is_rate(account.measure))
        return std::chrono::floor<std::chrono::minutes>(now) + std::chrono::minutes(1);
    if (account.period == BudgetPeriod::none) return std::nullopt;
    return period_end(account.period, Time(Duration(account.period_start_us)));
}

// Free here, and free at the server when it was last heard.
Units remaining_of(const std::optional<AccountView>& view) {
    if (!view) return {};
    return std::max(Units(), view->free) + view->remaining;
}

std::string text(Units units, Measure measure) {
    if (measure != Measure::wallet && measure != Measure::budget) return to_string(units);
    return to_string(units.floor_money());
}

// "6m0s", as OpenAI writes spans.
std::string span_text(Duration span) {
    const std::int64_t ms = std::max<std::int64_t>(0, to_ms(span));
    if (ms < 1000) return std::to_string(ms) + "ms";
    const std::int64_t seconds = (ms + 999) / 1000;
    if (seconds < 60) return std::to_string(seconds) + "s";
    return std::to_string(seconds / 60) + "m" + std::to_string(seconds % 60) + "s";
}

ApiError wallet_error(const Demand& lacking) {
    return {
        .status = 429,
        .message = "the wallet does not cover this call, which may cost up to " +
                   to_string(lacking.units.floor_money()) +
                   " yuan; top it up, or ask for fewer tokens (max_tokens)",
        .type = "insufficient_quota",
        .code = "insufficient_quota"
    };
}

}  // namespace

Result<void> check_model(const ResolvedKey& key, std::string_view model) {
    for (const LevelLimits& at : levels_of(key)) {
        if (!*at.limits || (*at.limits)->models.empty()) continue;
        const std::vector<std::string>& models = (*at.limits)->models;
        if (std::ranges::find(models, model) == models.end())
            return fail_field(
                ErrorCode::permission_denied, "model",
                "the " + std::string(name_of(at.level)) + " may not use the model '" +
                    std::string(model) + "': ask one of its models (GET /v1/key), or have it added"
            );
    }
    return {};
}

EndpointLists::EndpointLists(const ResolvedKey& key) {
    for (const LevelLimits& at : levels_of(key)) {
        if (!*at.limits) continue;
        if (!(*at.limits)->providers.empty())
            providers_[providers_count_++] = &(*at.limits)->providers;
        if (!(*at.limits)->sites.empty()) sites_[sites_count_++] = &(*at.limits)->sites;
    }
}

bool demands_of(
    const ResolvedKey& key, const CallNeeds& needs, AllowancePool& pool, std::vector<Demand>& out
) {
    out.clear();
    for (const LevelLimits& at : levels_of(key)) {
        if (!*at.limits) continue;
        const Limits& limits = **at.limits;
        add_demands(at, 0, limits, needs, out);
        if (limits.per_model.empty()) continue;
        const auto own = limits.per_model.find(std::string(needs.model));
        if (own == limits.per_model.end()) continue;
        const std::optional<std::uint32_t> number = pool.model_number(needs.model);
        if (!number) return false;
        add_demands(at, *number, own->second, needs, out);
    }
    if (needs.unbilled) return true;
    AccountKey wallet;
    wallet.subject = key.organisation_id.raw();
    out.push_back({wallet, Units::of(needs.amount), Units()});
    return true;
}

ApiError limit_error(
    const Demand& lacking, std::string_view model, const std::optional<AccountView>& view, Time now
) {
    const AccountKey& account = lacking.account;
    if (account.measure == Measure::wallet) return wallet_error(lacking);
    const LimitName name = name_of(account.measure);
    const std::string level(name_of(account.level));
    const bool money = account.measure == Measure::budget;
    const std::optional<Time> resets = reset_of(account, now);
    const bool too_large = lacking.units > lacking.limit;
    ApiError error{
        .status = 429,
        .type = money ? "insufficient_quota" : "rate_limit_error",
        .param = level + "." + std::string(name.field),
        .code = money ? "insufficient_quota" : "rate_limit_exceeded"
    };
    error.message = "the " + level + "'s limit of " + text(lacking.limit, account.measure) + " " +
                    std::string(name.words);
    if (account.model != 0) error.message += " on the model '" + std::string(model) + "'";
    error.message += " has " + text(remaining_of(view), account.measure) +
                     " left, this call may need " + text(lacking.units, account.measure);
    if (too_large) {
        error.message +=
            ", more than the limit: ask for fewer tokens (max_tokens), or have the "
            "limit raised";
        error.final = true;
        return error;
    }
    if (resets) {
        error.message += "; it begins anew at " + to_rfc3339(*resets);
        error.retry_after = std::max(Duration(1s), *resets - now);
    } else if (account.measure == Measure::concurrency) {
        error.message += "; try again when another call has ended";
        error.retry_after = Duration(1s);
    } else {
        error.message += "; it does not begin anew: have it raised";
    }
    error.final = money;
    return error;
}

HeaderList rate_headers(std::span<const Demand> demands, const AllowancePool& pool, Time now) {
    struct Names {
        std::string_view limit;
        std::string_view remaining;
        std::string_view reset;
    };
    HeaderList headers;
    const auto add = [&](Measure measure, const Names& names) {
        const Demand* tightest = nullptr;
        Units least;
        for (const Demand& demand : demands) {
            if (demand.account.measure != measure) continue;
            const Units remaining = remaining_of(pool.view(demand.account, now));
            if (tightest != nullptr && remaining >= least) continue;
            tightest = &demand;
            least = remaining;
        }
        if (tightest == nullptr) return;
        const Time resets = std::chrono::floor<std::chrono::minutes>(now) + std::chrono::minutes(1);
        if (headers.empty()) headers.reserve(2 * 3);
        headers.emplace_back(names.limit, to_string(tightest->limit));
        headers.emplace_back(names.remaining, to_string(least));
        headers.emplace_back(names.reset, span_text(resets - now));
    };
    add(Measure::requests_minute, {"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
                                   "x-ratelimit-reset-requests"});
    add(Measure::tokens_minute,
        {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"});
    return headers;
}

}  // namespace penstock::routing
