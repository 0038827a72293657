// SPDX-License-Identifier: Apache-2.0
#include "model/quantity_codec.h"
#include "model/task.h"

JSON_INSTANTIATE(penstock::Task);
JSON_INSTANTIATE(penstock::Attempt);
JSON_INSTANTIATE(penstock::TaskItem);
JSON_INSTANTIATE(penstock::Event);
JSON_INSTANTIATE(penstock::LogLine);
JSON_INSTANTIATE(penstock::Placement);
JSON_INSTANTIATE(penstock::Metered);
JSON_INSTANTIATE(penstock::Checkpoint);
JSON_INSTANTIATE(penstock::OutputFile);
JSON_INSTANTIATE(penstock::ItemCounts);
