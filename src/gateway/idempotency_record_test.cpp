// SPDX-License-Identifier: Apache-2.0
#include "gateway/idempotency_record.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

using Kind = IdempotencyRecord::Kind;

IdempotencyRecord begun() {
    return {
        .kind = Kind::begun,
        .token = sha256("token"),
        .fingerprint = sha256("request"),
        .call_id = RequestId(RawId{7, 8}),
        .at = Time(1'700'000'000s),
        .owner = "spool-2"
    };
}

IdempotencyRecord ended(std::string_view answer) {
    IdempotencyRecord record = begun();
    record.kind = Kind::ended;
    record.owner = {};
    record.charge = ExactMoney((static_cast<__int128>(5) << 70) + 12);
    record.end = KeptEnd::answered;
    record.answer = answer;
    return record;
}

IdempotencyRecord freed() {
    IdempotencyRecord record = begun();
    record.kind = Kind::freed;
    record.owner = {};
    record.fingerprint = {};
    return record;
}

KeptAnswer answer() {
    return {
        .streamed = true,
        .headers = {{"Content-Type", "text/event-stream"}, {"x-penstock-call", "req_1"}},
        .body = std::string("data: {\"a\":1}\n\n\0\xff", 17)
    };
}

TEST(IdempotencyRecord, ReadsBackWhatWasWritten) {
    const std::string kept = encode_answer(answer());
    std::string bytes;
    for (const auto& record : {begun(), ended(kept), freed()})
        append_idempotency_record(bytes, record);

    const IdempotencyReading reading = read_idempotency_records(bytes);

    ASSERT_EQ(reading.records.size(), 3U);
    EXPECT_EQ(reading.records[0].record, begun());
    EXPECT_EQ(reading.records[1].record, ended(kept));
    EXPECT_EQ(reading.records[2].record, freed());
    EXPECT_EQ(reading.problem, "");
    EXPECT_EQ(reading.consumed, bytes.size());
    EXPECT_EQ(*decode_answer(reading.records[1].record.answer), answer());
}

TEST(IdempotencyRecord, WithoutAnAnswerIsSmall) {
    std::string bytes;
    append_idempotency_record(bytes, begun());
    EXPECT_LE(bytes.size(), kIdempotencyRecordBytes);
    bytes.clear();
    append_idempotency_record(bytes, ended({}));
    EXPECT_LE(bytes.size(), kIdempotencyRecordBytes);
}

TEST(IdempotencyRecord, ATailThatWasTornAnywhereIsNotRead) {
    std::string whole;
    append_idempotency_record(whole, begun());
    const std::size_t first = whole.size();
    append_idempotency_record(whole, ended("answer"));
    std::size_t wrong = 0;
    for (std::size_t size = first + 1; size < whole.size(); ++size) {
        const IdempotencyReading reading = read_idempotency_records(whole.substr(0, size));
        wrong +=
            reading.records.size() != 1 || reading.consumed != first || reading.problem.empty();
    }
    EXPECT_EQ(wrong, 0U);
}

TEST(IdempotencyRecord, ABitThatFlippedIsNoticed) {
    std::string bytes;
    append_idempotency_record(bytes, ended("answer"));
    std::size_t read = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        std::string flipped = bytes;
        flipped[at] = static_cast<char>(flipped[at] ^ 4);
        read += read_idempotency_records(flipped).records.size();
    }
    EXPECT_EQ(read, 0U);
}

TEST(IdempotencyRecord, AnAnswerThatIsCutIsRefused) {
    const std::string whole = encode_answer(answer());
    const std::size_t before_body = whole.size() - answer().body.size();
    std::size_t accepted = 0;
    for (std::size_t size = 0; size < before_body; ++size)
        accepted += decode_answer(std::string_view(whole).substr(0, size)).has_value();
    EXPECT_EQ(accepted, 0U);
}

}  // namespace
}  // namespace penstock::gateway
