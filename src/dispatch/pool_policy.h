// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "model/site.h"
#include "placement/policies.h"

namespace penstock::dispatch {

constexpr std::string_view kDefaultPolicy = "composite";
// What `composite` stands for here: without watts, which a site does not state.
constexpr std::string_view kCompositeWeights = "fgd=94,best-fit=4";
constexpr std::size_t kPoliciesPerSiteMax = 64;

// The policy a site states for its pool of that SKU, or the default; by name, for people.
std::string_view policy_name(const SiteSpec& site, std::string_view sku);
// The error names the field, and the policies there are.
Result<std::unique_ptr<placement::Policy>> make_pool_policy(
    const SiteSpec& site, std::string_view sku, const placement::PolicyInputs& inputs
);
// Whether all that the site states can be made.
Result<void> validate_policies(const SiteSpec& site);

}  // namespace penstock::dispatch
