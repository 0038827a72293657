// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "scheduler/outlook.h"
#include "sim/csv.h"

namespace penstock::sim {

// A figure by the hour from a CSV: the first column is the time (RFC 3339, or "2024-01-01
// 00:00:00", which is UTC), `column` the value, or the second one where there are only two and
// `column` is empty. Each row is an hour after the one before; values are multiplied by `factor`.
Result<scheduler::HourlySeries> read_hourly(
    const Csv& csv, const std::string& column, double factor
);

}  // namespace penstock::sim
