// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace penstock::sim {

struct Point {
    double x = 0;
    double y = 0;
};

struct Series {
    std::string name;
    std::vector<Point> points;  // joined in this order
};

struct LinePlot {
    std::string title;
    std::string x_label;
    std::string y_label;
    std::vector<Series> series;
};

constexpr std::size_t kPlotSeriesMax = 12;
constexpr std::size_t kPlotPointsMax = 200'000;

// The plot as an SVG document that stands alone: axes with round numbers, grid, legend. The same
// plot gives the same bytes. Fails when there is nothing to draw, too much, or a value that is not
// finite.
Result<std::string> render_svg(const LinePlot& plot);

}  // namespace penstock::sim
