// SPDX-License-Identifier: Apache-2.0
#include "sim/line_plot.h"

#include <gtest/gtest.h>

#include <cmath>

namespace penstock::sim {
namespace {

TEST(LinePlot, DrawsAxesWithRoundNumbersAndOneLineASeries) {
    const std::string svg =
        render_svg({.title = "allocation",
                    .x_label = "asked %",
                    .y_label = "allocated %",
                    .series = {{"fgd", {{0, 0}, {130, 95.4}}}, {"random", {{0, 0}, {130, 87.5}}}}}
        ).value();

    EXPECT_NE(svg.find(">150</text>"), std::string::npos);  // the end of the x axis
    EXPECT_NE(svg.find("d=\"M78.00 422.00L"), std::string::npos);
    EXPECT_NE(svg.find(">random</text>"), std::string::npos);
    EXPECT_TRUE(svg.ends_with("</svg>\n"));
}

TEST(LinePlot, TextIsEscaped) {
    const std::string svg =
        render_svg({.title = "a<b & \"c\"", .series = {{"x", {{1, 1}}}}}).value();

    EXPECT_NE(svg.find("a&lt;b &amp; &quot;c&quot;"), std::string::npos);
}

TEST(LinePlot, RefusesWhatCannotBeDrawn) {
    EXPECT_EQ(render_svg({.series = {{"x", {}}}}).error().message, "there is nothing to draw");
    EXPECT_EQ(
        render_svg({.series = {{"x", {{0, NAN}}}}}).error().message,
        "line x has a value that is no finite number"
    );
    EXPECT_EQ(
        render_svg({.series = std::vector<Series>(13, {"x", {{0, 0}}})}).error().message,
        "13 lines with 13 points are too much for a plot: at most 12 and 200000"
    );
}

}  // namespace
}  // namespace penstock::sim
