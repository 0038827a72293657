// SPDX-License-Identifier: Apache-2.0
#include "routing/spool_record.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

CallRecord call(std::uint64_t n) {
    CallRecord made;
    made.id = RequestId(RawId{1, n});
    made.model = "model-" + std::to_string(n);
    made.tokens = {.input_fresh = 5, .output_visible = static_cast<std::int64_t>(n)};
    made.price_input = {8, 1};
    return made;
}

std::string spool(std::uint64_t records) {
    std::string out;
    for (std::uint64_t n = 0; n < records; ++n)
        append_spool_record(out, n % 2 == 0 ? SpoolKind::opened : SpoolKind::settled, call(n));
    return out;
}

TEST(Crc32c, MatchesTheStandardsExamples) {
    EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
    EXPECT_EQ(crc32c(""), 0U);
}

TEST(SpoolRecord, ReadsBackWhatWasWritten) {
    const SpoolReading reading = read_spool(spool(3));
    EXPECT_TRUE(reading.clean);
    ASSERT_EQ(reading.records.size(), 3U);
    EXPECT_EQ(reading.records[1], (SpoolRecord{SpoolKind::settled, call(1)}));
    EXPECT_EQ(reading.records[2].kind, SpoolKind::opened);
}

TEST(SpoolRecord, KeepsWholeRecordsWhenTheTailIsTornAnywhere) {
    const std::string two = spool(2);
    const std::size_t first = spool(1).size();
    for (std::size_t cut = 0; cut < two.size(); ++cut) {
        const SpoolReading reading = read_spool(std::string_view(two).substr(0, cut));
        EXPECT_EQ(reading.records.size(), cut < first ? 0U : 1U) << cut;
        EXPECT_EQ(reading.clean, cut == 0 || cut == first) << cut;
        EXPECT_EQ(reading.consumed, cut < first ? 0 : first) << cut;
    }
}

TEST(SpoolRecord, TrustsNothingBehindADamagedByte) {
    const std::string two = spool(2);
    for (std::size_t at = 0; at < two.size(); ++at) {
        std::string damaged = two;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
        const SpoolReading reading = read_spool(damaged);
        EXPECT_FALSE(reading.clean) << at;
        EXPECT_EQ(reading.records.size(), at < spool(1).size() ? 0U : 1U) << at;
    }
}

}  // namespace
}  // namespace penstock::routing
