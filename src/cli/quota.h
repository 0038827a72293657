// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cli/arguments.h"
#include "cli/column.h"
#include "cli/command.h"
#include "model/compute_quota.h"

// Quotas of organisations and projects, as flags say them and as tables show them.
namespace penstock::cli {

// "weight=2 guaranteed=cpus:8,H100:2 limit=any:4"
std::string quota_cell(const json::Value& row, const Look& look);
std::vector<Flag> quota_flags();
// What the flags say over what was set before.
Result<ComputeQuota> quota_from_flags(const Arguments& given, const ComputeQuota& before);

}  // namespace penstock::cli
