// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "server/api.h"

namespace penstock::server {

// An operator's word on an organisation; every mistake at once.
std::expected<void, Failure> set_quota(
    const Call& call, Organisation& organisation, const ComputeQuota& quota
);
// Within what the organisation has.
std::expected<void, Failure> set_quota(
    const Call& call, const Organisation& organisation, Project& project, const ComputeQuota& quota
);
void add_tenant_routes(Api& api);  // one organisation, one project

}  // namespace penstock::server
