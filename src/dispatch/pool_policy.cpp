// SPDX-License-Identifier: Apache-2.0
#include "dispatch/pool_policy.h"

#include <algorithm>
#include <cmath>

#include "dispatch/pool.h"
#include "model/accelerator_facts.h"

namespace penstock::dispatch {

std::string_view policy_name(const SiteSpec& site, std::string_view sku) {
    const auto stated = site.placement.find(std::string(sku));
    return stated == site.placement.end() ? placement::kDefaultPolicy
                                          : std::string_view(stated->second);
}

namespace {

bool weighs_watts(std::string_view policy) { return policy == "pwr" || policy.contains("pwr="); }

std::optional<double> stated(const std::map<std::string, double>& watts, std::string_view model) {
    const auto found = watts.find(std::string(model));
    return found == watts.end() ? std::nullopt : std::optional(found->second);
}

std::int32_t whole(double watts) {
    return static_cast<std::int32_t>(std::lround(std::clamp(watts, 0.0, kWattsMax)));
}

std::unexpected<Error> lacking(std::string_view sku, const std::string& field) {
    return fail_field(
        ErrorCode::invalid_argument, "placement." + std::string(sku),
        "policy pwr weighs watts: state " + field + " of the site, or choose another policy"
    );
}

// What the nodes of a pool draw; the processors count where the site states theirs. Sockets are
// taken one core large, since a site states watts of a core; of cores two CPUs make one.
Result<placement::PowerProfile> power_of(const SiteSpec& site, std::string_view sku) {
    constexpr double kCpusPerCore = 2;
    placement::PowerProfile profile{
        .socket_full = whole(kCpusPerCore * site.watts_per_core.value_or(0))
    };
    if (sku == kCpuSku) {
        if (!site.watts_per_core) return lacking(sku, "watts_per_core");
        return profile;
    }
    const std::string model(sku);
    const std::optional<double> idle = stated(site.idle_watts_per_device, sku);
    std::optional<double> full = stated(site.watts_per_device, sku);
    if (const AcceleratorFacts* facts = facts_of(sku); !full && facts != nullptr)
        full = facts->board_watts;
    if (!idle) return lacking(sku, "idle_watts_per_device." + model);
    if (!full) return lacking(sku, "watts_per_device." + model);
    if (*idle > *full)
        return fail_field(
            ErrorCode::invalid_argument, "idle_watts_per_device." + model,
            "is more than the device draws under load"
        );
    profile.device_idle = whole(*idle);
    profile.device_full = whole(*full);
    return profile;
}

}  // namespace

Result<std::unique_ptr<placement::Policy>> make_pool_policy(
    const SiteSpec& site, std::string_view sku, placement::PolicyInputs inputs
) {
    const std::string_view name = policy_name(site, sku);
    const Result<placement::PowerProfile> power = power_of(site, sku);
    if (!power && weighs_watts(name)) return std::unexpected(power.error());
    if (power) inputs.power.assign(static_cast<std::size_t>(inputs.models), *power);
    auto policy = placement::make_policy(name, inputs);
    if (policy) return policy;
    return fail_field(
        policy.error().code, "placement." + std::string(sku), std::move(policy.error().message)
    );
}

Result<void> validate_policies(const SiteSpec& site) {
    if (site.placement.size() > kPoliciesPerSiteMax)
        return fail_field(
            ErrorCode::invalid_argument, "placement",
            "names " + std::to_string(site.placement.size()) + " pools, at most " +
                std::to_string(kPoliciesPerSiteMax) + " can have a policy of their own"
        );
    for (const auto& [sku, name] : site.placement) TRY(make_pool_policy(site, sku, {}));
    return {};
}

}  // namespace penstock::dispatch
