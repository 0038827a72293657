// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "model/site.h"
#include "placement/policies.h"

namespace penstock::dispatch {

constexpr std::size_t kPoliciesPerSiteMax = 64;
constexpr double kWattsMax = 1e6;  // of a device or a core

// The policy a site states for its pool of that SKU, or the default; by name, for people.
std::string_view policy_name(const SiteSpec& site, std::string_view sku);
// `inputs` without power: that is the site's; the default weighs watts where all are stated. The
// error names the field, and the policies there are
// or the watts that are not stated.
Result<std::unique_ptr<placement::Policy>> make_pool_policy(
    const SiteSpec& site, std::string_view sku, placement::PolicyInputs inputs
);
// Whether all that the site states can be made.
Result<void> validate_policies(const SiteSpec& site);

}  // namespace penstock::dispatch
