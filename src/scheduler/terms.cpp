// SPDX-License-Identifier: Apache-2.0
#include "scheduler/terms.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "scheduler/callers.h"

namespace penstock::scheduler {
namespace {

constexpr double kSecondsPerHour = 3600;
constexpr Duration kRateSpan = 1h;  // that rates are of
constexpr double kMegabitsPerByte = 8e-6;
constexpr std::int64_t kBytesPerGb = 1'000'000'000;

// Absent where the amount cannot be held.
std::optional<Money> egress(std::int64_t bytes, const std::optional<Price>& per_gb) {
    if (bytes == 0 || !per_gb) return Money();
    const Result<ExactMoney> exact = multiply(bytes, QuantityScale::one, *per_gb);
    if (!exact) return std::nullopt;
    const Result<Money> money =
        ceil_money(ExactMoney((exact->femto() + kBytesPerGb - 1) / kBytesPerGb));
    return money ? std::optional(*money) : std::nullopt;
}

std::optional<Money> sum(std::optional<Money> left, std::optional<Money> right) {
    if (!left || !right) return std::nullopt;
    const Result<Money> total = add(*left, *right);
    return total ? std::optional(*total) : std::nullopt;
}

bool already_there(const Profile& profile, const SiteSpec& site) {
    return profile.staging_source && profile.staging_source->name == site.name;
}

std::optional<Money> staging_egress(const Profile& profile, const Supply& supply) {
    if (already_there(profile, supply.site->spec)) return Money();
    if (supply.staging) return egress(profile.staging_bytes, supply.staging->egress_per_gb);
    if (!profile.staging_source) return Money();
    return egress(profile.staging_bytes, profile.staging_source->egress_per_gb);
}

std::optional<Money> egress_of(const Profile& profile, const Supply& supply) {
    return sum(
        egress(profile.result_bytes, supply.site->spec.egress_per_gb),
        staging_egress(profile, supply)
    );
}

// What is charged never passes through here: an estimate for the comparison, rounded up.
std::optional<Money> money_of(double amount) {
    constexpr double kMicroPerYuan = 1e6;
    constexpr double kMost = 9e18;
    const double micro = std::ceil(amount * kMicroPerYuan);
    if (!(std::abs(micro) < kMost)) return std::nullopt;
    return Money::micro(static_cast<std::int64_t>(micro));
}

std::optional<Money> nearest_money(double micro) {
    constexpr double kMost = 9e18;
    if (!(std::abs(micro) < kMost)) return std::nullopt;
    return Money::micro(static_cast<std::int64_t>(std::round(micro)));
}

double transfer_seconds(std::int64_t bytes, double mbps, double rtt_ms) {
    return static_cast<double>(bytes) * kMegabitsPerByte / mbps + rtt_ms / 1000;
}

std::optional<double> transfer_seconds(std::int64_t bytes, const SiteSpec& site) {
    if (bytes == 0) return 0;
    if (!site.bandwidth_mbps || !site.rtt_ms) return std::nullopt;
    return transfer_seconds(bytes, *site.bandwidth_mbps, *site.rtt_ms);
}

std::optional<double> staging_seconds(const Profile& profile, const Supply& supply) {
    if (profile.staging_bytes == 0 || already_there(profile, supply.site->spec)) return 0;
    if (!supply.staging) return transfer_seconds(profile.staging_bytes, supply.site->spec);
    const Route& route = *supply.staging;
    return transfer_seconds(profile.staging_bytes, route.bandwidth_mbps, route.rtt_ms);
}

Duration duration_of(double seconds) {
    return std::chrono::ceil<Duration>(std::chrono::duration<double>(seconds));
}

std::optional<double> watts_of(
    const Profile& profile, const SiteSpec& site, const ResourceRequest& request
) {
    if (!site.watts_per_core) return std::nullopt;
    const double cores = static_cast<double>(request.cpu_milli) / 1000 * *site.watts_per_core;
    if (!request.accelerator) return cores;
    const std::string& model = request.accelerator->model;
    for (const auto* known : {&site.watts_per_device, &profile.watts_per_device})
        if (const auto device = known->find(model); device != known->end())
            return cores +
                   static_cast<double>(request.accelerator->count_milli) / 1000 * device->second;
    return std::nullopt;
}

}  // namespace

std::optional<Duration> run_time_at_most_of(
    const Profile& profile, const ResourceRequest& request
) {
    if (request.accelerator)
        if (const auto found = profile.run_time_at_most_on.find(request.accelerator->model);
            found != profile.run_time_at_most_on.end())
            return found->second;
    return profile.run_time_at_most;
}

std::optional<Duration> expected_run_time(const Profile& profile, const ResourceRequest& request) {
    if (request.accelerator)
        if (const auto found = profile.run_time_on.find(request.accelerator->model);
            found != profile.run_time_on.end())
            return found->second;
    return profile.run_time;
}

bool run_time_known(const Profile& profile, const ResourceRequest& request) {
    return expected_run_time(profile, request).has_value();
}

Duration held_run_time(const Profile& profile, const ResourceRequest& request) {
    return expected_run_time(profile, request).value_or(kDefaultRunTime);
}

namespace {

// The run on a node, or an hour of it where its end is unknown: where in time it lies and what it
// draws there.
struct Run {
    Time start;
    Duration span;
    bool known = true;
    std::optional<double> kilowatts;  // at the meter of the site

    double hours() const { return to_seconds(span) / kSecondsPerHour; }
    // kilowatts × hours × what an hour of `series` has, or `otherwise` where there is no series.
    std::optional<double> integral(
        const HourlySeries& series, const std::optional<double>& otherwise
    ) const {
        const std::optional<double> mean = series.empty() ? otherwise : series.mean(start, span);
        if (!mean || !kilowatts) return std::nullopt;
        return *kilowatts * hours() * *mean;
    }
};

Run run_of(const Input& input, const Asked& asked) {
    const SiteSpec& site = asked.supply.site->spec;
    const double staging = staging_seconds(input.profile, asked.supply).value_or(0);
    const std::optional<double> watts = watts_of(input.profile, site, asked.request);
    const std::optional<Duration> expected = expected_run_time(input.profile, asked.request);
    return {
        .start = asked.start + duration_of(staging),
        .span = expected.value_or(kRateSpan),
        .known = expected.has_value(),
        .kilowatts = watts ? std::optional(*watts / 1000 * site.pue) : std::nullopt
    };
}

// Of a run that ends by a restart: since its last checkpoint, which is half an interval ago, or
// half of all of it. Absent: how long it runs is unknown, and it keeps none.
std::optional<Duration> lost_of(const TaskSpec& spec, const Run& run) {
    const bool resumes = spec.checkpoint && spec.checkpoint->resume != ResumePolicy::never;
    if (!resumes) return run.known ? std::optional(run.span / 2) : std::nullopt;
    return (run.known ? std::min(spec.checkpoint->every, run.span) : spec.checkpoint->every) / 2;
}

// Expected restarts × what each loses; where one member of a gang starts again, all do.
std::optional<Money> restarts_of(const Input& input, const Asked& asked, const Run& run) {
    const std::optional<RestartRate> rate =
        restart_rate(asked.supply.restarts, asked.request, work_class_of(input.spec));
    const std::optional<Duration> lost = lost_of(input.spec, run);
    if (!rate || !lost || !asked.hourly) return std::nullopt;
    const Result<Money> each = price_of_span(*asked.hourly, kRateSpan);
    if (!each) return std::nullopt;
    const double expected =
        rate->per_hour * run.hours() * static_cast<double>(input.spec.num_nodes);
    return nearest_money(
        expected * to_seconds(*lost) / kSecondsPerHour * static_cast<double>(each->micro())
    );
}

std::optional<Money> cost_of(
    const Asked& asked, const Run& run, const std::optional<Money>& egress,
    const std::optional<Money>& restarts
) {
    if (!asked.hourly) return std::nullopt;
    const Result<Money> compute = price_of_span(*asked.hourly, run.span);
    if (!compute) return std::nullopt;
    std::optional<Money> total = sum(*compute, restarts.value_or(Money()));
    if (run.known) total = sum(total, egress);
    const Outlook* outlook = asked.supply.outlook;
    if (!outlook || outlook->power_price_per_kwh.empty()) return total;
    const std::optional<double> power = run.integral(outlook->power_price_per_kwh, std::nullopt);
    return power ? sum(total, money_of(*power)) : std::nullopt;
}

std::optional<double> carbon_of(const Input& input, const Asked& asked, const Run& run) {
    const std::optional<double>& everyday = asked.supply.site->spec.carbon_g_per_kwh;
    const Outlook* outlook = asked.supply.outlook;
    if (!outlook || outlook->carbon_g_per_kwh.empty()) return run.integral({}, everyday);
    if (!outlook->believed(input.now)) return std::nullopt;
    return run.integral(outlook->carbon_g_per_kwh, std::nullopt);
}

// Staging and fetching.
std::optional<double> transfer_seconds(const Input& input, const Asked& asked) {
    const std::optional<double> in = staging_seconds(input.profile, asked.supply);
    const std::optional<double> out =
        transfer_seconds(input.profile.result_bytes, asked.supply.site->spec);
    if (!in || !out) return std::nullopt;
    return *in + *out;
}

}  // namespace

Duration occupied_span(const Input& input, const Asked& asked) {
    const double transfers = transfer_seconds(input, asked).value_or(0);
    return duration_of(transfers) + held_run_time(input.profile, asked.request);
}

Terms terms_of(const Input& input, const Asked& asked) {
    const SiteSpec& site = asked.supply.site->spec;
    const Run run = run_of(input, asked);
    const std::optional<Money> egress = egress_of(input.profile, asked.supply);
    const std::optional<Money> restarts = restarts_of(input, asked, run);
    Terms terms{.cost = cost_of(asked, run, egress, restarts)};
    if (egress && !egress->is_zero()) terms.egress = egress;
    if (terms.cost) terms.restarts = restarts;
    terms.per_hour = !run.known;
    if (const std::optional<double> transfers = transfer_seconds(input, asked))
        terms.duration_s = to_seconds(asked.start - input.now) + *transfers +
                           (run.known ? to_seconds(run.span) : 0);
    const std::set<std::string> controls(site.controls.begin(), site.controls.end());
    terms.security = 1 - static_cast<double>(controls.size()) / kOptionalControls;
    terms.latency_ms = round_trip_ms(site, callers_of(input));
    terms.carbon_g = carbon_of(input, asked, run);
    return terms;
}

void compare_alike(const std::vector<Terms*>& terms) {
    if (std::ranges::all_of(terms, &Terms::per_hour)) return;
    for (Terms* each : terms)
        if (each->per_hour) *each = {.security = each->security, .latency_ms = each->latency_ms};
}

std::optional<Money> charged_of(const Terms& terms) {
    if (!terms.cost) return std::nullopt;
    Result<Money> charged = subtract(*terms.cost, terms.restarts.value_or(Money()));
    if (charged && !terms.per_hour) charged = subtract(*charged, terms.egress.value_or(Money()));
    return charged ? std::optional(*charged) : std::nullopt;
}

}  // namespace penstock::scheduler
