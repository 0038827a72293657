// SPDX-License-Identifier: Apache-2.0
#include "model/gateway_status.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::ReportGateway);
JSON_INSTANTIATE(penstock::GatewayWishes);
JSON_INSTANTIATE(penstock::GatewayDrain);
JSON_INSTANTIATE(penstock::GatewayStatus);
JSON_INSTANTIATE(penstock::GatewayRoute);
JSON_INSTANTIATE(penstock::GatewayLease);
