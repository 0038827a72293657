// SPDX-License-Identifier: Apache-2.0
#include "gateway/idempotency_record.h"

#include <cstring>
#include <optional>

#include "base/check.h"
#include "routing/spool_record.h"

namespace penstock::gateway {
namespace {

constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kHeadersMax = 128;  // of an answer
using Kind = IdempotencyRecord::Kind;

template <class Number>
void put(std::string& out, Number number) {
    for (std::size_t i = 0; i < sizeof number; ++i)
        out += static_cast<char>((number >> (8 * i)) & 0xFF);
}

template <class Number>
void put_at(std::string& out, std::size_t at, Number number) {
    for (std::size_t i = 0; i < sizeof number; ++i)
        out[at + i] = static_cast<char>((number >> (8 * i)) & 0xFF);
}

void put_digest(std::string& out, const Sha256& digest) {
    out.append(reinterpret_cast<const char*>(digest.data()), digest.size());
}

void put_text(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint32_t>(text.size()));
    out += text;
}

// Takes from the front; what is not there is noticed once, at the end.
class Taker {
  public:
    explicit Taker(std::string_view bytes) : rest_(bytes) {}

    std::string_view bytes(std::size_t count) {
        if (rest_.size() < count) cut_ = true;
        if (cut_) return {};
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    template <class Number>
    Number number() {
        const std::string_view taken = bytes(sizeof(Number));
        Number value = 0;
        for (std::size_t i = taken.size(); i > 0; --i)
            value = static_cast<Number>(
                (value << 8U) | static_cast<Number>(static_cast<unsigned char>(taken[i - 1]))
            );
        return value;
    }
    Sha256 digest() {
        Sha256 out{};
        const std::string_view taken = bytes(out.size());
        if (!cut_) std::memcpy(out.data(), taken.data(), out.size());
        return out;
    }
    std::string text() { return std::string(bytes(number<std::uint32_t>())); }
    std::string_view rest() { return bytes(rest_.size()); }
    bool cut() const { return cut_; }
    bool at_end() const { return rest_.empty(); }

  private:
    std::string_view rest_;
    bool cut_ = false;
};

std::optional<Kind> kind_of(std::string_view letter) {
    if (letter.size() != 1) return std::nullopt;
    for (const Kind kind : {Kind::begun, Kind::ended, Kind::freed})
        if (letter[0] == static_cast<char>(kind)) return kind;
    return std::nullopt;
}

// Nothing where the bytes are no record.
std::optional<IdempotencyRecord> read_body(std::string_view body) {
    Taker take(body);
    const std::optional<Kind> kind = kind_of(take.bytes(1));
    if (!kind) return std::nullopt;
    IdempotencyRecord record{.kind = *kind, .token = take.digest()};
    const auto high = take.number<std::uint64_t>();
    record.call_id = RequestId(RawId{high, take.number<std::uint64_t>()});
    record.at = Time(Duration(static_cast<std::int64_t>(take.number<std::uint64_t>())));
    if (*kind != Kind::freed) record.fingerprint = take.digest();
    if (*kind == Kind::begun) record.owner = take.rest();
    if (*kind == Kind::ended) {
        const auto low = take.number<std::uint64_t>();
        const auto above = take.number<std::uint64_t>();
        record.charge =
            ExactMoney(static_cast<__int128>((static_cast<unsigned __int128>(above) << 64U) | low));
        const auto end = take.number<std::uint8_t>();
        if (end > kKeptEndLast) return std::nullopt;
        record.end = static_cast<KeptEnd>(end);
        record.answer = take.rest();
    }
    if (take.cut() || !take.at_end()) return std::nullopt;
    return record;
}

}  // namespace

void append_idempotency_record(std::string& out, const IdempotencyRecord& record) {
    const std::size_t begin = out.size();
    out.append(kHeaderBytes, '\0');
    out += static_cast<char>(record.kind);
    put_digest(out, record.token);
    put(out, record.call_id.raw().high);
    put(out, record.call_id.raw().low);
    put(out, static_cast<std::uint64_t>(record.at.time_since_epoch().count()));
    if (record.kind != Kind::freed) put_digest(out, record.fingerprint);
    if (record.kind == Kind::begun) out += record.owner;
    if (record.kind == Kind::ended) {
        const auto charge = static_cast<unsigned __int128>(record.charge.femto());
        put(out, static_cast<std::uint64_t>(charge));
        put(out, static_cast<std::uint64_t>(charge >> 64U));
        put(out, static_cast<std::uint8_t>(record.end));
        out += record.answer;
    }
    const std::string_view body = std::string_view(out).substr(begin + kHeaderBytes);
    CHECK(body.size() <= kIdempotencyRecordBytesMax, "answers that are kept are bounded");
    put_at(out, begin + 4, routing::crc32c(body));
    put_at(out, begin, static_cast<std::uint32_t>(body.size()));
}

IdempotencyReading read_idempotency_records(std::string_view bytes) {
    IdempotencyReading reading;
    while (reading.consumed < bytes.size()) {
        Taker take(bytes.substr(reading.consumed));
        const auto length = take.number<std::uint32_t>();
        const auto crc = take.number<std::uint32_t>();
        if (take.cut()) {
            reading.problem = "a record's header is cut";
            return reading;
        }
        if (length > kIdempotencyRecordBytesMax) {
            reading.problem = "a record's length is impossible";
            return reading;
        }
        const std::string_view body = take.bytes(length);
        if (take.cut()) {
            reading.problem = "a record is cut";
            return reading;
        }
        if (routing::crc32c(body) != crc) {
            reading.problem = "a record's checksum differs";
            return reading;
        }
        const std::optional<IdempotencyRecord> record = read_body(body);
        if (!record) {
            reading.problem = "a record cannot be read";
            return reading;
        }
        const std::size_t whole = kHeaderBytes + length;
        reading.records.push_back({*record, reading.consumed, whole});
        reading.consumed += whole;
    }
    return reading;
}

std::string encode_answer(const KeptAnswer& answer) {
    std::string out;
    out.reserve(answer.body.size() + 1024);
    put(out, static_cast<std::uint8_t>(answer.streamed));
    CHECK(answer.headers.size() <= kHeadersMax, "an answer has few headers");
    put(out, static_cast<std::uint16_t>(answer.headers.size()));
    for (const auto& [name, value] : answer.headers) {
        put_text(out, name);
        put_text(out, value);
    }
    out += answer.body;
    return out;
}

Result<KeptAnswer> decode_answer(std::string_view bytes) {
    Taker take(bytes);
    const auto streamed = take.number<std::uint8_t>();
    const auto count = take.number<std::uint16_t>();
    KeptAnswer answer{.streamed = streamed != 0};
    if (streamed > 1 || count > kHeadersMax || take.cut())
        return fail(ErrorCode::internal, "a kept answer cannot be read");
    for (std::size_t i = 0; i < count && !take.cut(); ++i) {
        std::string name = take.text();
        answer.headers.emplace_back(std::move(name), take.text());
    }
    if (take.cut()) return fail(ErrorCode::internal, "a kept answer is cut");
    answer.body = take.rest();
    return answer;
}

}  // namespace penstock::gateway
