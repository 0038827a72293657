// SPDX-License-Identifier: Apache-2.0
#include "routing/spool_record.h"

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/fixed_text.h"
#include "json/codec.h"
#include "json/json.h"

namespace penstock::routing {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // Castagnoli's, reflected

// Tables for eight bytes at a time ("slicing by 8"): tables[k][b] is the checksum of byte b with k
// zero bytes behind it.
constexpr std::size_t kSlice = 8;
using Tables = std::array<std::array<std::uint32_t, 256>, kSlice>;
constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
        tables[0][i] = value;
    }
    for (std::size_t k = 1; k < kSlice; ++k)
        for (std::size_t i = 0; i < 256; ++i)
            tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xFF];
    return tables;
}
constexpr Tables kTables = make_tables();

constexpr std::size_t kCallBytesUsual = 640;  // room that is made at once

// What needs no escape goes straight to `out`.
void print_field(Time value, std::string& out) {
    std::array<char, kRfc3339BytesMax> text;
    out.append(1, '"').append(text.data(), write_rfc3339(value, text.data())).append(1, '"');
}
template <class Tag>
void print_field(const Id<Tag>& value, std::string& out) {
    out.append(1, '"').append(IdText(value).view()).append(1, '"');
}
template <class T>
void print_field(const T& value, std::string& out) {
    json::print_to(value, out);
}
template <class Tag>
void print_field(const std::optional<std::vector<Id<Tag>>>& ids, std::string& out) {
    char before = '[';
    for (const Id<Tag>& id : *ids) {
        out += std::exchange(before, ',');
        print_field(id, out);
    }
    out += before == '[' ? "[]" : "]";
}

// As json::print() does it, to the byte. Two records are written for each call of the gateway.
void print_call(const CallRecord& call, std::string& out) {
    const std::size_t begin = out.size();
    boost::mp11::mp_for_each<json::Codec<CallRecord>::Members>([&](auto member) {
        const auto& field = call.*member.pointer;
        if constexpr (json::IsOptional<std::remove_cvref_t<decltype(field)>>::value)
            if (!field) return;
        static const std::string before =
            ",\"" + std::string(json::json_key<CallRecord>(member.name)) + "\":";
        out += before;
        print_field(field, out);
    });
    out[begin] = '{';  // before the first member, which is always there
    out += '}';
}

void put_u32(std::string& out, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>((value >> (8 * i)) & 0xFF);
}

std::uint32_t get_u32(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    return value;
}

#ifdef __x86_64__
// Processors have an instruction for this polynomial.
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_instruction(std::string_view bytes) {
    std::uint64_t crc = 0xFFFFFFFF;
    for (; bytes.size() >= kSlice; bytes.remove_prefix(kSlice)) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data(), kSlice);
        crc = _mm_crc32_u64(crc, word);
    }
    auto rest = static_cast<std::uint32_t>(crc);
    for (const char c : bytes) rest = _mm_crc32_u8(rest, static_cast<unsigned char>(c));
    return ~rest;
}
#endif

// Why the record at `at` cannot be read; empty when it was.
std::string read_one(std::string_view bytes, SpoolTexts& reading) {
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
    reading.records.push_back({static_cast<SpoolKind>(body[0]), body.substr(1)});
    reading.consumed = at + kSpoolHeaderBytes + length;
    return {};
}

}  // namespace

std::uint32_t crc32c_by_table(std::string_view bytes) {
    std::uint32_t crc = 0xFFFFFFFF;
    const auto byte = [](std::uint32_t word, int at) { return (word >> (8 * at)) & 0xFF; };
    for (; bytes.size() >= kSlice; bytes.remove_prefix(kSlice)) {
        const std::uint32_t low = crc ^ get_u32(bytes, 0);
        const std::uint32_t high = get_u32(bytes, 4);
        crc = kTables[7][byte(low, 0)] ^ kTables[6][byte(low, 1)] ^ kTables[5][byte(low, 2)] ^
              kTables[4][byte(low, 3)] ^ kTables[3][byte(high, 0)] ^ kTables[2][byte(high, 1)] ^
              kTables[1][byte(high, 2)] ^ kTables[0][byte(high, 3)];
    }
    for (const char c : bytes)
        crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(c)) & 0xFF];
    return ~crc;
}

std::uint32_t crc32c(std::string_view bytes) {
#ifdef __x86_64__
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    if (has_instruction) return crc32c_by_instruction(bytes);
#endif
    return crc32c_by_table(bytes);
}

void append_spool_record(std::string& out, SpoolKind kind, const CallRecord& call) {
    const std::size_t begin = out.size();
    out.reserve(begin + kCallBytesUsual);
    out.append(kSpoolHeaderBytes, '\0');
    out += static_cast<char>(kind);
    print_call(call, out);
    const std::string_view body = std::string_view(out).substr(begin + kSpoolHeaderBytes);
    CHECK(body.size() <= kSpoolRecordBytesMax, "names in a call record are bounded");
    put_u32(out, begin + 4, crc32c(body));
    put_u32(out, begin, static_cast<std::uint32_t>(body.size()));
}

SpoolTexts read_spool_texts(std::string_view bytes, std::size_t records_max) {
    SpoolTexts reading;
    while (reading.consumed < bytes.size() && reading.records.size() < records_max &&
           reading.problem.empty())
        reading.problem = read_one(bytes, reading);
    reading.clean = reading.problem.empty();
    return reading;
}

SpoolReading read_spool(std::string_view bytes) {
    const SpoolTexts texts = read_spool_texts(bytes);
    SpoolReading reading{
        .records = {}, .consumed = 0, .clean = texts.clean, .problem = texts.problem
    };
    for (const SpoolText& text : texts.records) {
        Result<CallRecord> call = json::parse<CallRecord>(text.json);
        if (!call) {
            reading.clean = false;
            reading.problem = "a record cannot be read: " + to_string(call.error());
            return reading;
        }
        reading.records.push_back({text.kind, *std::move(call)});
        reading.consumed += kSpoolHeaderBytes + 1 + text.json.size();
    }
    return reading;
}

}  // namespace penstock::routing
