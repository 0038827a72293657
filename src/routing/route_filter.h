// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/endpoint.h"
#include "routing/decision.h"
#include "routing/provider_preferences.h"

namespace penstock::routing {

// Why a call that wants this may not use the endpoint, by what its supplier states of it alone;
// `none`: it may. Prices, and what depends on the attempts before, are no part of it.
FilterReason refused_by(const ProviderPreferences& wanted, const Route& route);

}  // namespace penstock::routing
