// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scheduler/filter.h"

// Why a node cannot give the accelerators that are asked for, and what would help.
namespace penstock::scheduler {

// It never has them. `asks` without an accelerator: its site's prices cannot be used.
Text absent_text(const ResourceRequest& asks, const Node& node);
Text absent_remedy(const ResourceRequest& asks, const Node& node);
// Others have them now.
Text busy_text(const ResourceRequest& asks, const Node& node, const Capacity& free);
Text busy_remedy(const ResourceRequest& asks, const Capacity& free);

}  // namespace penstock::scheduler
