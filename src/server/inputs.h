// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "server/platform.h"

namespace penstock::server {

// The outputs of other tasks that a submitted spec takes, as they are now, and where they are put.
std::vector<StagedInput> inputs_of(const Platform& platform, const TaskSpec& spec);

}  // namespace penstock::server
