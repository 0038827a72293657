// SPDX-License-Identifier: Apache-2.0
#include "scheduler/terms.h"

#include <set>

namespace penstock::scheduler {
namespace {

constexpr double kSecondsPerHour = 3600;
constexpr double kMegabitsPerByte = 8e-6;
constexpr std::int64_t kBytesPerGb = 1'000'000'000;

// Absent where the price is unknown or the amount cannot be held.
std::optional<Money> egress(std::int64_t bytes, const SiteSpec& from) {
    if (bytes == 0) return Money();
    if (!from.egress_per_gb) return std::nullopt;
    const Result<ExactMoney> exact = multiply(bytes, QuantityScale::one, *from.egress_per_gb);
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

std::optional<Money> cost_of(
    const Profile& profile, const SiteSpec& site, const Price& hourly, Duration run_time
) {
    const Result<Money> compute = price_of_span(hourly, run_time);
    if (!compute) return std::nullopt;
    std::optional<Money> total = sum(*compute, egress(profile.result_bytes, site));
    const bool already_there = profile.staging_source && profile.staging_source->name == site.name;
    if (profile.staging_source && !already_there)
        total = sum(total, egress(profile.staging_bytes, *profile.staging_source));
    return total;
}

std::optional<double> transfer_seconds(std::int64_t bytes, const SiteSpec& site) {
    if (bytes == 0) return 0;
    if (!site.bandwidth_mbps || !site.rtt_ms) return std::nullopt;
    return static_cast<double>(bytes) * kMegabitsPerByte / *site.bandwidth_mbps +
           *site.rtt_ms / 1000;
}

std::optional<double> watts_of(
    const Profile& profile, const SiteSpec& site, const ResourceRequest& request
) {
    if (!site.watts_per_core) return std::nullopt;
    const double cores = static_cast<double>(request.cpu_milli) / 1000 * *site.watts_per_core;
    if (!request.accelerator) return cores;
    const auto device = profile.watts_per_device.find(request.accelerator->model);
    if (device == profile.watts_per_device.end()) return std::nullopt;
    return cores + static_cast<double>(request.accelerator->count_milli) / 1000 * device->second;
}

}  // namespace

bool run_time_known(const Profile& profile, const ResourceRequest& request) {
    return profile.run_time ||
           (request.accelerator && profile.run_time_on.contains(request.accelerator->model));
}

Duration run_time_of(const Profile& profile, const ResourceRequest& request) {
    if (request.accelerator)
        if (const auto found = profile.run_time_on.find(request.accelerator->model);
            found != profile.run_time_on.end())
            return found->second;
    return profile.run_time.value_or(kDefaultRunTime);
}

Terms terms_of(
    const Input& input, const Supply& supply, const ResourceRequest& request,
    const std::optional<Price>& hourly
) {
    const SiteSpec& site = supply.site->spec;
    const Profile& profile = input.profile;
    const Duration run_time = run_time_of(profile, request);
    Terms terms;
    if (hourly) terms.cost = cost_of(profile, site, *hourly, run_time);
    const bool already_there = profile.staging_source && profile.staging_source->name == site.name;
    const std::optional<double> in =
        transfer_seconds(already_there ? 0 : profile.staging_bytes, site);
    const std::optional<double> out = transfer_seconds(profile.result_bytes, site);
    if (in && out) terms.duration_s = *in + to_seconds(run_time) + *out;
    const std::set<std::string> controls(site.controls.begin(), site.controls.end());
    terms.security = 1 - static_cast<double>(controls.size()) / kOptionalControls;
    terms.latency_ms = site.rtt_ms;
    const std::optional<double> watts = watts_of(profile, site, request);
    if (watts && site.carbon_g_per_kwh)
        terms.carbon_g = *watts / 1000 * site.pue * *site.carbon_g_per_kwh *
                         (to_seconds(run_time) / kSecondsPerHour);
    return terms;
}

}  // namespace penstock::scheduler
