// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/platform.h"

namespace penstock::server {

// Brings the task's service view and the gateway's endpoints in line with its ready replicas: a
// replica that became ready gets an endpoint, one that ended loses it. Called in every change of an
// attempt.
void refresh_service(Platform& platform, Change& change, TaskId id);

// The next registration code for a site or a service, as the text of its C-URL.
Result<std::string> issue_resource_code(
    Platform& platform, Change& change, const SiteSpec& spec, const Organisation& provider
);
Result<std::string> issue_service_code(
    Platform& platform, Change& change, const Organisation& provider, const std::string& kind,
    const std::string& name
);
// A code for each pool that the site's nodes made and that has none.
Result<void> issue_pool_codes(Platform& platform, Change& change, const Site& site);
// Writes what the site's nodes are made of into its C-URL; true when that changed the text.
bool describe_site(Platform& platform, Site& site);
// The C-URL of instance `ordinal` of a service on the resource of `site_c_url`.
std::string instance_code(
    const std::string& service_c_url, const std::string& site_c_url, std::int64_t ordinal
);

}  // namespace penstock::server
