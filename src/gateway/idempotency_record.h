// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/time.h"
#include "gateway/key_cache.h"
#include "model/ids.h"

namespace penstock::gateway {

// An answer as it was given, to be given again.
struct KeptAnswer {
    bool streamed = false;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;  // of a stream all of it
    bool operator==(const KeptAnswer&) const = default;
};

// How the call of a key ended that was answered or charged.
enum class KeptEnd : std::uint8_t {
    answered = 0,   // the answer is kept
    too_large = 1,  // it was larger than what is kept
    cut = 2,        // it did not come to its end
    joined = 3,     // two engines made it, one after the other
    crashed = 4,    // the gateway's process ended in the middle of it
    evicted = 5,    // the answer was kept, and made room for newer ones
    unwritten = 6,  // the disk did not take it
    crowded = 7,    // too many answers were being collected at once
};
constexpr std::uint8_t kKeptEndLast = 7;

// One entry of the log of idempotency keys (idempotency_log.h). What is borrowed lies in the bytes
// that were read, or with whoever writes the record.
struct IdempotencyRecord {
    enum class Kind : char {
        begun = 'B',  // a call of this key runs; a second one, of another model, in its place
        ended = 'E',  // it was answered or charged
        freed = 'F',  // it was neither: the key may be used again
    };
    Kind kind = Kind::freed;
    Sha256 token{};        // of the API key and what it named its request
    Sha256 fingerprint{};  // of the request; not of `freed`
    RequestId call_id;
    Time at;
    std::string_view owner = {};  // of `begun`: the process that runs it, by its spool
    ExactMoney charge = {};       // of `ended`, as all that follows
    KeptEnd end = KeptEnd::cut;
    std::string_view answer = {};  // of `answered`: encode_answer()
    bool operator==(const IdempotencyRecord&) const = default;
};
// A record without an answer, and with a name of an owner as gateways have them, is no larger.
constexpr std::size_t kIdempotencyRecordBytes = 256;
// The longest record that a reader takes; an answer is smaller than this by far.
constexpr std::size_t kIdempotencyRecordBytesMax = 4UL * 1024 * 1024;

// The log's file format, a sequence of
//     record = length crc kind token call at [rest]
//     length = u32, little endian as all numbers: the bytes behind crc
//     crc    = u32: CRC-32C of them
//     kind   = "B" / "E" / "F"
//     token  = 32 bytes
//     call   = two u64
//     at     = i64: microseconds since 1970
//     rest of "B" = fingerprint (32 bytes) owner
//     rest of "E" = fingerprint charge (two u64: femto-yuan) end (u8) answer
void append_idempotency_record(std::string& out, const IdempotencyRecord& record);

struct IdempotencyReading {
    struct At {
        IdempotencyRecord record;  // borrows from the bytes
        std::size_t offset = 0;
        std::size_t bytes = 0;
    };
    std::vector<At> records;
    std::size_t consumed = 0;
    std::string problem = {};  // what ended the reading before the end; nothing behind is trusted
};
IdempotencyReading read_idempotency_records(std::string_view bytes);

//     answer = streamed (u8) count (u16) count × (name value) body
//     name, value = length (u32) bytes
std::string encode_answer(const KeptAnswer& answer);
Result<KeptAnswer> decode_answer(std::string_view bytes);

}  // namespace penstock::gateway
