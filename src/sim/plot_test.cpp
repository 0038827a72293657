// SPDX-License-Identifier: Apache-2.0
#include "sim/plot.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

const Csv& curve() {
    static const Csv parsed = Csv::parse("x,fgd,random\n0,0,0\n50,49.5,oops\n", "c.csv").value();
    return parsed;
}

TEST(Plot, DrawsTheNamedColumnsOverTheFirst) {
    const LinePlot plot = plot_of(curve(), {.y = {"fgd"}}).value();

    ASSERT_EQ(plot.series.size(), 1);
    EXPECT_EQ(plot.x_label, "x");
    EXPECT_EQ(plot.y_label, "fgd");
    EXPECT_EQ(plot.series[0].points[1].y, 49.5);
}

TEST(Plot, ACellThatIsNoNumberIsNamed) {
    EXPECT_EQ(
        plot_of(curve(), {}).error().message,
        "c.csv:3: column random: 'oops' is no number from -1000000000000000 to 1000000000000000"
    );
}

}  // namespace
}  // namespace penstock::sim
