// SPDX-License-Identifier: Apache-2.0
#include "model/plan.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::Plan);
JSON_INSTANTIATE(penstock::Explanation);
JSON_INSTANTIATE(penstock::Candidate);
JSON_INSTANTIATE(penstock::Terms);
JSON_INSTANTIATE(penstock::ResourceRequest);
