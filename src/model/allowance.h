// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <compare>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/billing.h"
#include "model/call_settings.h"
#include "model/ids.h"
#include "model/limits.h"
#include "model/units.h"

// How gateways and the server share limits; see src/routing/README.md.
namespace penstock {

// What an account counts.
enum class Measure {
    wallet,           // the organisation's money
    budget,           // what calls cost, per budget period
    requests_minute,  // shares that begin anew every minute
    tokens_minute,
    requests_day,
    tokens_day,
    concurrency  // calls at one time
};
BOOST_DESCRIBE_ENUM(
    Measure, wallet, budget, requests_minute, tokens_minute, requests_day, tokens_day, concurrency
)

// One limit of one subject in one period: what allowances are taken from.
struct AllowanceAccount {
    static constexpr bool kJsonDefaults = true;
    std::string subject;  // og_…, pj_… or ky_…
    std::string model;    // empty: all models together
    Measure measure = Measure::wallet;
    BudgetPeriod period = BudgetPeriod::none;
    Time period_start{};
    auto operator<=>(const AllowanceAccount&) const = default;
};
BOOST_DESCRIBE_STRUCT(AllowanceAccount, (), (subject, model, measure, period, period_start))

// All amounts of a lease are sums since it began, so that a message that is lost, late or repeated
// changes nothing.
struct AllowanceAsk {
    LeaseId lease_id;  // made by the gateway
    AllowanceAccount account;
    Units known;     // granted, as far as the gateway knows
    Units returned;  // given back, and not used any more when this is sent
    Units wanted;    // in addition to `known`
    Units needed;    // of it, for calls that wait
    Units smallest;  // of these calls
    // Of a limit of a minute: the most that was used of the lease in a minute that may still run
    // somewhere. Absent: all that is given back may have been.
    std::optional<Units> used_in_minute;
    bool operator==(const AllowanceAsk&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    AllowanceAsk, (), (lease_id, account, known, returned, wanted, needed, smallest, used_in_minute)
)

// POST /v1/gateway/allowances.
struct AcquireAllowances {
    std::string replica;  // stable name of the gateway
    RunId run;            // of its process; what earlier ones left has been settled
    std::vector<AllowanceAsk> asks;
    bool operator==(const AcquireAllowances&) const = default;
};
BOOST_DESCRIBE_STRUCT(AcquireAllowances, (), (replica, run, asks))

struct Allowance {
    static constexpr bool kJsonDefaults = true;
    LeaseId lease_id;
    Units granted;               // since the lease began
    Time expires_at;             // no new call may use it afterwards
    bool ended = false;          // the lease is over, or was never known: begin another one
    bool wanted_back = false;    // others wait for what this gateway does not use
    std::optional<Units> limit;  // absent: there is none any more
    Units remaining;             // of the limit: neither used nor granted to anybody
    bool recalled = false;       // others are asked for what they do not use: ask again in a moment
    bool operator==(const Allowance&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Allowance, (), (lease_id, granted, expires_at, ended, wanted_back, limit, remaining, recalled)
)

struct GrantedAllowances {
    std::int64_t epoch = 0;             // of the replica: rises with every process
    std::vector<Allowance> allowances;  // in the order of the asks
    bool operator==(const GrantedAllowances&) const = default;
};
BOOST_DESCRIBE_STRUCT(GrantedAllowances, (), (epoch, allowances))

// What has been used of one limit, for people.
struct LimitUse {
    std::string level;  // organisation, project, key
    std::string subject;
    std::string model;  // empty: all models together
    std::string limit;  // budget, requests_per_minute …
    Units allowed;
    // Settled in this period. Absent: not known to the server, since gateways alone count what a
    // minute uses and the calls at one time.
    std::optional<Units> used;
    Units reserved;   // in the hands of gateways; where `used` is absent, used or not
    Units remaining;  // allowed − used − reserved: what no gateway has
    std::optional<Time> resets_at;
    bool operator==(const LimitUse&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    LimitUse, (), (level, subject, model, limit, allowed, used, reserved, remaining, resets_at)
)

// What calls have cost, exactly; the same figures as the sum over the bill lines.
struct Spending {
    Units total;
    Units day;
    Units week;
    Units month;
    std::int64_t requests = 0;  // in all
    std::int64_t requests_today = 0;
    std::int64_t tokens = 0;
    std::int64_t tokens_today = 0;
    bool operator==(const Spending&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Spending, (), (total, day, week, month, requests, requests_today, tokens, tokens_today)
)

struct UseReport {
    std::string subject;
    Spending spending;
    std::vector<LimitUse> limits;  // of the subject and of what is above it
    bool operator==(const UseReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(UseReport, (), (subject, spending, limits))

// ---- GET /v1/key, /v1/credits, /v1/generation: field names of OpenRouter, money as decimal text

struct KeyData {
    std::string label;
    std::optional<Units> limit;
    std::optional<Units> limit_remaining;
    std::string limit_reset;  // none, daily, weekly, monthly
    Units usage;
    Units usage_daily;
    Units usage_weekly;
    Units usage_monthly;
    std::optional<Time> expires_at;
    std::vector<LimitUse> limits;
    std::vector<SettingInForce> settings;  // that hold for its calls
    bool operator==(const KeyData&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    KeyData, (),
    (label, limit, limit_remaining, limit_reset, usage, usage_daily, usage_weekly, usage_monthly,
     expires_at, limits, settings)
)
struct KeyAnswer {
    KeyData data;
    bool operator==(const KeyAnswer&) const = default;
};
BOOST_DESCRIBE_STRUCT(KeyAnswer, (), (data))

struct CreditsData {
    Money total_credits;  // ever paid in or granted
    Money total_usage;    // ever charged
    Money held;           // reserved by running work and granted to gateways
    Money available;
    bool operator==(const CreditsData&) const = default;
};
BOOST_DESCRIBE_STRUCT(CreditsData, (), (total_credits, total_usage, held, available))
struct CreditsAnswer {
    CreditsData data;
    bool operator==(const CreditsAnswer&) const = default;
};
BOOST_DESCRIBE_STRUCT(CreditsAnswer, (), (data))

// One token call: its cost and its route, from its bill line.
struct GenerationData {
    std::string id;
    std::string model;
    std::string provider_name;
    std::string site;
    std::string c_url;
    std::optional<KeyId> key_id;
    Time created_at;
    Time ended_at;
    std::optional<std::int64_t> latency_us;  // to the first token
    std::int64_t tokens_prompt = 0;
    std::int64_t tokens_completion = 0;
    UsageBasis basis = UsageBasis::upstream;
    std::string finish_reason;  // done, client_gone, upstream_error …
    Units total_cost;           // exact
    Money charged;              // what the ledger posted for it
    std::vector<UsageItem> usage;
    std::vector<std::string> transfers;
    std::optional<std::string> trace_id;  // W3C Trace Context
    // Of a stream that two engines answered: the other one's call; see BillLine.
    std::optional<std::string> continues;
    std::optional<std::string> continued_by;
    // Of an attempt that is not the call's own, and how a call found its engine; see BillLine.
    std::optional<std::string> attempt_of;
    std::optional<std::int64_t> status;
    std::optional<std::string> routing;
    bool operator==(const GenerationData&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    GenerationData, (),
    (id, model, provider_name, site, c_url, key_id, created_at, ended_at, latency_us, tokens_prompt,
     tokens_completion, basis, finish_reason, total_cost, charged, usage, transfers, trace_id,
     continues, continued_by, attempt_of, status, routing)
)
struct GenerationAnswer {
    GenerationData data;
    bool operator==(const GenerationAnswer&) const = default;
};
BOOST_DESCRIBE_STRUCT(GenerationAnswer, (), (data))

}  // namespace penstock
