// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sim/csv.h"
#include "sim/line_plot.h"

namespace penstock::sim {

// Which columns of a CSV become lines.
struct PlotColumns {
    std::string x;               // empty: the first column
    std::vector<std::string> y;  // empty: all others
};

// One line a y column over the x column, rows in their order; every cell has to be a number.
Result<LinePlot> plot_of(const Csv& csv, const PlotColumns& columns);

}  // namespace penstock::sim
