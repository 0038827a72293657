// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "cli/invocation.h"
#include "sim/scale.h"

// What `penstock sim scale` prints.
namespace penstock::cli {

// Of one cluster its figures; of several a list of them, `clusters`. With --no-timing without what
// differs between equal runs.
Result<void> print_scale(
    const Invocation& invocation, std::span<const sim::ScaleReport> reports,
    const sim::ScaleOptions& options
);

}  // namespace penstock::cli
