// SPDX-License-Identifier: Apache-2.0
#include "model/quantity.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

std::string cpus(std::string_view text) {
    const Result<CpuRange> range = parse_cpu_range(text);
    return range ? to_string(*range) : range.error().message;
}
std::string memory(std::string_view text) {
    const Result<MemoryRange> range = parse_memory_range(text);
    return range ? to_string(*range) : range.error().message;
}

TEST(CpuRange, ReadsExactAtLeastAndRange) {
    EXPECT_EQ(cpus("4"), "4");
    EXPECT_EQ(cpus("32+"), "32+");
    EXPECT_EQ(cpus("0.5"), "0.5");
    EXPECT_EQ(cpus("2..8"), "2..8");
    EXPECT_EQ(parse_cpu_range("0.25")->min, 250);
}
TEST(CpuRange, SaysHowToWriteIt) {
    EXPECT_EQ(cpus("many"), "'many' is not understood: write 4, 4+, 0.5 or 2..8");
    EXPECT_EQ(cpus("8..2"), "'8..2' is not a range from low to high: write 4, 4+, 0.5 or 2..8");
}
TEST(MemoryRange, CountsGibibytesUnlessSaid) {
    EXPECT_EQ(parse_memory_range("16")->min, 16 * 1024);
    EXPECT_EQ(parse_memory_range("512MB")->min, 512);
    EXPECT_EQ(memory("24GB..80GB"), "24GB..80GB");
    EXPECT_EQ(memory("1.5TB"), "1536GB");
    EXPECT_FALSE(parse_memory_range("5 GB"));
}
TEST(Accelerator, ReadsModelAndCount) {
    EXPECT_EQ(to_string(*parse_accelerator("H100:8")), "H100:8");
    EXPECT_EQ(parse_accelerator("H100")->count_milli, 1000);
    EXPECT_EQ(parse_accelerator("A10:0.5")->count_milli, 500);
    EXPECT_FALSE(parse_accelerator("H100:1.5"));
    EXPECT_FALSE(parse_accelerator("H100:"));
    EXPECT_FALSE(parse_accelerator(":8"));
}

}  // namespace
}  // namespace penstock
