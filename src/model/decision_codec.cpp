// SPDX-License-Identifier: Apache-2.0
#include "json/codec.h"
#include "model/decision.h"
#include "model/device_list_codec.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::HeldCapacity);
JSON_INSTANTIATE(penstock::DecisionState);
JSON_INSTANTIATE(penstock::DecisionInput);
JSON_INSTANTIATE(penstock::DecisionAnswer);
JSON_INSTANTIATE(penstock::Decision);
JSON_INSTANTIATE(penstock::KeptDecision);
JSON_INSTANTIATE(penstock::DecisionRecord);
JSON_INSTANTIATE(penstock::DecisionOutcome);
