// SPDX-License-Identifier: Apache-2.0
#include "model/allowance.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::Limits);
JSON_INSTANTIATE(penstock::AllowanceAccount);
JSON_INSTANTIATE(penstock::Measure);
JSON_INSTANTIATE(penstock::AcquireAllowances);
JSON_INSTANTIATE(penstock::GrantedAllowances);
JSON_INSTANTIATE(penstock::UseReport);
JSON_INSTANTIATE(penstock::KeyAnswer);
JSON_INSTANTIATE(penstock::CreditsAnswer);
JSON_INSTANTIATE(penstock::GenerationAnswer);
JSON_INSTANTIATE(penstock::GenerationData);
