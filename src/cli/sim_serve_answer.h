// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "cli/invocation.h"
#include "sim/serve_sweep.h"

// What `penstock sim serve` prints.
namespace penstock::cli {

// A line a case; with sites also a table of regions and one of sites.
Result<void> print_serve_rows(const Invocation& invocation, std::span<const sim::ServeRow> rows);

}  // namespace penstock::cli
