// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/endpoint.h"

namespace penstock::routing {

// CRC-32C (Castagnoli), as RFC 3720 has it.
std::uint32_t crc32c(std::string_view bytes);
// The same where the processor has no instruction for it.
std::uint32_t crc32c_by_table(std::string_view bytes);

// The spool's file format, a sequence of
//     record = length crc kind json
//     length = u32, little endian: bytes of kind and json
//     crc    = u32, little endian: CRC-32C of kind and json
//     kind   = "O" (opened: the record to settle if nothing follows) / "S" (settled)
//     json   = CallRecord
enum class SpoolKind : char { opened = 'O', settled = 'S' };
constexpr std::size_t kSpoolHeaderBytes = 8;
constexpr std::size_t kSpoolRecordBytesMax = 64UL * 1024;

struct SpoolRecord {
    SpoolKind kind = SpoolKind::settled;
    CallRecord call;
    bool operator==(const SpoolRecord&) const = default;
};
void append_spool_record(std::string& out, SpoolKind kind, const CallRecord& call);

// The text of one CallRecord within the bytes that were read.
struct SpoolText {
    SpoolKind kind = SpoolKind::settled;
    std::string_view json;
};

// What was read from the front. `clean` tells that nothing was wrong on the way; if not, what
// follows `consumed` was torn by a crash (or damaged) and nothing behind it can be trusted.
template <class Record>
struct SpoolReadingOf {
    std::vector<Record> records;
    std::size_t consumed = 0;
    bool clean = true;
    std::string problem = {};  // what ended the reading
};
using SpoolReading = SpoolReadingOf<SpoolRecord>;
using SpoolTexts = SpoolReadingOf<SpoolText>;

// At most `records_max` records, lengths and checksums tested, their JSON not looked at.
SpoolTexts read_spool_texts(std::string_view bytes, std::size_t records_max = SIZE_MAX);
// All of them; one whose JSON is no CallRecord ends the reading.
SpoolReading read_spool(std::string_view bytes);

}  // namespace penstock::routing
