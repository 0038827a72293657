// SPDX-License-Identifier: Apache-2.0
#include "routing/spool_record.h"

#include <array>

#include "base/check.h"
#include "json/json.h"

namespace penstock::routing {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // Castagnoli's, reflected

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
        table[i] = value;
    }
    return table;
}
constexpr std::array<std::uint32_t, 256> kTable = make_table();

void put_u32(std::string& out, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>((value >> (8 * i)) & 0xFF);
}

std::uint32_t get_u32(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    return value;
}

// Why the record at `at` cannot be read; empty when it was.
std::string read_one(std::string_view bytes, SpoolReading& reading) {
    const std::size_t at = reading.consumed;
    if (bytes.size() - at < kSpoolHeaderBytes) return "a record's header is cut";
    const std::size_t length = get_u32(bytes, at);
    if (length < 2 || length > kSpoolRecordBytesMax) return "a record's length is impossible";
    if (bytes.size() - at - kSpoolHeaderBytes < length) return "a record is cut";
    const std::string_view body = bytes.substr(at + kSpoolHeaderBytes, length);
    if (crc32c(body) != get_u32(bytes, at + 4)) return "a record's checksum differs";
    if (body[0] != static_cast<char>(SpoolKind::opened) &&
        body[0] != static_cast<char>(SpoolKind::settled))
        return "a record is of an unknown kind";
    Result<CallRecord> call = json::parse<CallRecord>(body.substr(1));
    if (!call) return "a record cannot be read: " + to_string(call.error());
    reading.records.push_back({static_cast<SpoolKind>(body[0]), *std::move(call)});
    reading.consumed = at + kSpoolHeaderBytes + length;
    return {};
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const char c : bytes)
        crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
    return ~crc;
}

void append_spool_record(std::string& out, SpoolKind kind, const CallRecord& call) {
    const std::size_t begin = out.size();
    out.append(kSpoolHeaderBytes, '\0');
    out += static_cast<char>(kind);
    out += json::print(call);
    const std::string_view body = std::string_view(out).substr(begin + kSpoolHeaderBytes);
    CHECK(body.size() <= kSpoolRecordBytesMax, "names in a call record are bounded");
    put_u32(out, begin + 4, crc32c(body));
    put_u32(out, begin, static_cast<std::uint32_t>(body.size()));
}

SpoolReading read_spool(std::string_view bytes, std::size_t records_max) {
    SpoolReading reading;
    while (reading.consumed < bytes.size() && reading.records.size() < records_max &&
           reading.problem.empty())
        reading.problem = read_one(bytes, reading);
    reading.clean = reading.problem.empty();
    return reading;
}

}  // namespace penstock::routing
