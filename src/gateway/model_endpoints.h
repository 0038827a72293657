// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "routing/endpoint_pool.h"

namespace penstock::gateway {

// Appends `,"endpoints":[…]`: who answers for the model, at which prices, and what calls to each
// supplier have shown at this gateway of late, every figure with the number of its samples. One
// entry for the endpoints of a supplier that are alike.
void append_endpoints(
    std::string& out, const routing::EndpointPool& endpoints, std::string_view model, Time now
);

}  // namespace penstock::gateway
