// SPDX-License-Identifier: Apache-2.0
#include "dispatch/pool_policy.h"

namespace penstock::dispatch {

std::string_view policy_name(const SiteSpec& site, std::string_view sku) {
    const auto stated = site.placement.find(std::string(sku));
    return stated == site.placement.end() ? kDefaultPolicy : std::string_view(stated->second);
}

Result<std::unique_ptr<placement::Policy>> make_pool_policy(
    const SiteSpec& site, std::string_view sku, const placement::PolicyInputs& inputs
) {
    const std::string_view name = policy_name(site, sku);
    auto policy = placement::make_policy(name == kDefaultPolicy ? kCompositeWeights : name, inputs);
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
