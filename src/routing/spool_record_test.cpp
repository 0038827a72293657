// SPDX-License-Identifier: Apache-2.0
#include "routing/spool_record.h"

#include <gtest/gtest.h>

#include "json/json.h"

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

TEST(SpoolRecord, HoldsTheCallAsItsJson) {
    CallRecord whole = call(7);
    whole.model = "a \"model\" \n of moonshot";
    whole.lease_id = LeaseId(RawId{UINT64_MAX, UINT64_MAX});
    whole.endpoint_id = EndpointId(RawId{0x0123456789abcdef, 0xfedcba9876543210});
    whole.started_at = *parse_rfc3339("2026-11-24T01:02:03.0405Z");
    whole.tokens.cache_read = 0;
    whole.ttft_us = 12;
    whole.drawn = {LeaseId(RawId{1, 2}), LeaseId(RawId{3, 4})};
    std::string spool;

    append_spool_record(spool, SpoolKind::settled, whole);
    append_spool_record(spool, SpoolKind::opened, call(8));

    const SpoolTexts texts = read_spool_texts(spool);
    ASSERT_EQ(texts.records.size(), 2U);
    EXPECT_EQ(texts.records[0].json, json::print(whole));
    EXPECT_EQ(texts.records[1].json, json::print(call(8)));
}

TEST(Crc32c, MatchesTheStandardsExamples) {
    EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
    EXPECT_EQ(crc32c(""), 0U);
}

TEST(Crc32c, IsTheSameWithoutTheInstruction) {
    const std::string text = "a text of a length that is not divided by eight, for both ways";

    EXPECT_EQ(crc32c_by_table(text), crc32c(text));
    EXPECT_EQ(crc32c_by_table("123456789"), 0xE3069283U);
}

TEST(SpoolRecord, ReadsBackWhatWasWritten) {
    const SpoolReading reading = read_spool(spool(3));
    EXPECT_TRUE(reading.clean);
    ASSERT_EQ(reading.records.size(), 3U);
    EXPECT_EQ(reading.records[1], (SpoolRecord{SpoolKind::settled, call(1)}));
    EXPECT_EQ(reading.records[2].kind, SpoolKind::opened);
}

// As a gateway wrote it before classes had prices and texts were counted.
TEST(SpoolRecord, ReadsARecordOfBeforeThereWerePricesOfClasses) {
    const std::string json =
        R"({"id":"rq_00000000010000000000000001","lease_id":"ls_00000000000000000000000000",)"
        R"("organisation_id":"og_00000000000000000000000000",)"
        R"("project_id":"pj_00000000000000000000000000","key_id":"ky_00000000000000000000000000",)"
        R"("endpoint_id":"ep_00000000000000000000000000","model":"m",)"
        R"("started_at":"2026-01-02T03:04:05Z","ended_at":"2026-01-02T03:04:06Z","status":200,)"
        R"("streamed":true,"tokens":{"input_fresh":5,"cache_read":4,"output_visible":3},)"
        R"("basis":"upstream","end_reason":"done","price_input":"0.1","price_output":"0.4",)"
        R"("price_version":1,"ttft_us":900})";
    std::string body(1, static_cast<char>(SpoolKind::settled));
    body += json;
    std::string bytes;
    for (const std::uint32_t word : {static_cast<std::uint32_t>(body.size()), crc32c(body)})
        for (int shift = 0; shift < 32; shift += 8)
            bytes += static_cast<char>((word >> shift) & 0xFF);
    bytes += body;

    const SpoolReading reading = read_spool(bytes);

    ASSERT_EQ(reading.problem, "");
    ASSERT_EQ(reading.records.size(), 1U);
    const CallRecord& call = reading.records[0].call;
    EXPECT_EQ(call.class_prices, std::nullopt);
    EXPECT_EQ(call.counted, std::nullopt);
    EXPECT_EQ(call.tokens.cache_read, 4);
    std::string again;
    append_spool_record(again, SpoolKind::settled, call);
    EXPECT_EQ(again, bytes);
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
