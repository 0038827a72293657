// SPDX-License-Identifier: Apache-2.0
#include "sim/plot.h"

namespace penstock::sim {
namespace {

constexpr double kValueMax = 1e15;  // beyond, neighbours cannot be told apart on an axis

}  // namespace

Result<LinePlot> plot_of(const Csv& csv, const PlotColumns& columns) {
    const std::size_t x = columns.x.empty() ? 0 : TRY(csv.column(columns.x));
    std::vector<std::size_t> lines;
    lines.reserve(csv.columns().size());
    for (const std::string& name : columns.y) lines.push_back(TRY(csv.column(name)));
    if (lines.empty())
        for (std::size_t i = 0; i < csv.columns().size(); ++i)
            if (i != x) lines.push_back(i);
    LinePlot plot{.title = csv.name(), .x_label = csv.columns()[x]};
    if (lines.size() == 1) plot.y_label = csv.columns()[lines.front()];
    for (const std::size_t column : lines) {
        Series series{.name = csv.columns()[column]};
        series.points.reserve(csv.rows());
        for (std::size_t row = 0; row < csv.rows(); ++row)
            series.points.push_back(
                {TRY(csv.number(row, x, -kValueMax, kValueMax)),
                 TRY(csv.number(row, column, -kValueMax, kValueMax))}
            );
        plot.series.push_back(std::move(series));
    }
    return plot;
}

}  // namespace penstock::sim
