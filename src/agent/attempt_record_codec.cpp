// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/attempt_record.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::agent::AttemptRecord);
JSON_INSTANTIATE(penstock::agent::AgentConfig);
