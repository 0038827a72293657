// SPDX-License-Identifier: Apache-2.0
#include "model/endpoint.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::Endpoint);
JSON_INSTANTIATE(penstock::CreateEndpoint);
JSON_INSTANTIATE(penstock::UpdateEndpoint);
JSON_INSTANTIATE(penstock::ModelEntry);
JSON_INSTANTIATE(penstock::RouteTable);
JSON_INSTANTIATE(penstock::ResolveKey);
JSON_INSTANTIATE(penstock::ResolvedKey);
JSON_INSTANTIATE(penstock::CallRecord);
JSON_INSTANTIATE(penstock::SettleCalls);
JSON_INSTANTIATE(penstock::SettledCalls);
