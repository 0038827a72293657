// SPDX-License-Identifier: Apache-2.0
#include "model/billing.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::Wallet);
JSON_INSTANTIATE(penstock::TopUp);
JSON_INSTANTIATE(penstock::TokenCounts);
JSON_INSTANTIATE(penstock::BillLine);
JSON_INSTANTIATE(penstock::Statement);
JSON_INSTANTIATE(penstock::SettlementReport);
JSON_INSTANTIATE(penstock::UsageItem);
