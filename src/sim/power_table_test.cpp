// SPDX-License-Identifier: Apache-2.0
#include "sim/power_table.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

TEST(PowerTable, TheListThatComesWithTheProgramIsReadable) {
    const PowerList list = read_power(Csv::parse(power_csv(), "built in").value()).value();
    ModelNames cluster;
    EXPECT_EQ(cluster.intern("T4"), 1);

    const placement::PowerTable table = list.table_for(cluster).value();

    EXPECT_EQ(table[1].device_full, 70);
    EXPECT_EQ(table[1].cores_per_socket, 24);
}

TEST(PowerTable, NamesAModelItLacks) {
    const PowerList list = read_power(Csv::parse(power_csv(), "built in").value()).value();
    ModelNames cluster;
    EXPECT_EQ(cluster.intern("B9"), 1);

    EXPECT_EQ(
        list.table_for(cluster).error().message,
        "the power list has no device model 'B9': add a row"
    );
}

}  // namespace
}  // namespace penstock::sim
