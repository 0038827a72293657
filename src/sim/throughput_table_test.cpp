// SPDX-License-Identifier: Apache-2.0
#include "sim/throughput_table.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

constexpr const char* kTable = R"json({
  "slow": {"('B', 1)": {"null": 1.5}, "('A', 2)": {"null": 0, "('B', 1)": [1, 2]}},
  "fast": {"('A', 2)": {"null": 8}, "('B', 1)": {"null": 3}},
  "other": {}
})json";

std::string refusal(std::string_view text, const std::vector<std::string>& kinds) {
    const auto table = parse_throughputs(text, "t.json", kinds);
    return table ? "" : table.error().message;
}

TEST(ThroughputTable, RatesStandBesideTheKindsThatWereAskedFor) {
    const auto table = parse_throughputs(kTable, "t.json", {"fast", "slow"});

    ASSERT_TRUE(table);
    EXPECT_EQ(
        table->types, (std::vector<JobType>{
                          {.name = "B", .devices = 1, .rate = {3, 1.5}},
                          {.name = "A", .devices = 2, .rate = {8, 0}}
                      })
    );
}

TEST(ThroughputTable, NamesTheKindsThereAre) {
    EXPECT_EQ(refusal(kTable, {"v100"}), "t.json: no kind 'v100'; it has slow, fast, other");
}

TEST(ThroughputTable, AMissingRateIsNeverGuessed) {
    EXPECT_EQ(
        refusal(kTable, {"fast", "other"}),
        "t.json: other has rates of 0 job types, the kinds before it of 2: write 0 where one "
        "cannot run"
    );
    EXPECT_EQ(
        refusal(R"json({"a": {"('A', 1)": {}}})json", {"a"}),
        "t.json: a, ('A', 1): no number under \"null\""
    );
    EXPECT_EQ(
        refusal(R"json({"a": {"('A', 1)": {"null": -1}}})json", {"a"}),
        "t.json: a, ('A', 1): a rate is 0 or more steps/s"
    );
}

TEST(ThroughputTable, RefusesKeysThatAreNoJobTypes) {
    for (const char* key : {"A", "('A')", "('A', 0)", "('A', x)", "('', 1)", "('A', 1"}) {
        const std::string text = std::string("{\"a\": {\"") + key + "\": {\"null\": 1}}}";
        EXPECT_NE(refusal(text, {"a"}), "") << key;
    }
    EXPECT_NE(refusal("[]", {"a"}), "");
    EXPECT_NE(refusal("{", {"a"}), "");
}

}  // namespace
}  // namespace penstock::sim
