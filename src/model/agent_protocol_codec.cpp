// SPDX-License-Identifier: Apache-2.0
#include "model/agent_protocol.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::AgentMessage);
JSON_INSTANTIATE(penstock::ServerMessage);
JSON_INSTANTIATE(penstock::AttemptReport);
JSON_INSTANTIATE(penstock::StartAttempt);
JSON_INSTANTIATE(penstock::StopAttempt);
JSON_INSTANTIATE(penstock::LogBatch);
