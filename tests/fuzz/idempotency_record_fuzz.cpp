// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "gateway/idempotency_record.h"

// libFuzzer finds it by this name. The input is read as a log, and as a kept answer; to get behind
// the checksums it is also written as the owner and the answer of records of its own.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::gateway;
    using Kind = IdempotencyRecord::Kind;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const IdempotencyReading reading = read_idempotency_records(text);
    CHECK(reading.consumed <= size, "nothing is read beyond the end");
    CHECK(reading.problem.empty() == (reading.consumed == size), "what is not read has a reason");
    std::string again;
    for (const IdempotencyReading::At& at : reading.records)
        append_idempotency_record(again, at.record);
    CHECK(again == text.substr(0, reading.consumed), "what was read is written the same");
    if (const auto answer = decode_answer(text))
        CHECK(decode_answer(encode_answer(*answer)) == *answer, "an answer reads back equal");
    std::string own;
    append_idempotency_record(own, {.kind = Kind::begun, .owner = text});
    append_idempotency_record(own, {.kind = Kind::ended, .end = KeptEnd::answered, .answer = text});
    const IdempotencyReading back = read_idempotency_records(own);
    CHECK(back.records.size() == 2 && back.problem.empty(), "what is written can be read");
    CHECK(back.records[0].record.owner == text && back.records[1].record.answer == text, "whole");
    return 0;
}
