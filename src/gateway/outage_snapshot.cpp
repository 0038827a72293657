// SPDX-License-Identifier: Apache-2.0
#include "gateway/outage_snapshot.h"

#include "gateway/key_cache.h"
#include "json/json.h"
#include "model/quantity_codec.h"
#include "routing/spool_record.h"

JSON_INSTANTIATE(penstock::gateway::KeptKey);
JSON_INSTANTIATE(penstock::gateway::SnapshotHead);

namespace penstock::gateway {
namespace {

constexpr std::size_t kHeaderBytes = 8;
// Clocks are set now and then; one that is so far behind the snapshot cannot tell its age.
constexpr Duration kFromFutureMax = 5min;

void put_u32(std::string& out, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>((value >> (8 * i)) & 0xFF);
}

std::uint32_t get_u32(std::string_view bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return value;
}

void append(std::string& out, char kind, std::string_view json) {
    const std::size_t begin = out.size();
    out.append(kHeaderBytes, '\0');
    out += kind;
    out += json;
    const std::string_view body = std::string_view(out).substr(begin + kHeaderBytes);
    put_u32(out, begin, static_cast<std::uint32_t>(body.size()));
    put_u32(out, begin + 4, routing::crc32c(body));
}

struct Record {
    char kind = 0;
    std::string_view json;
};

std::unexpected<Error> torn(const char* what) {
    return fail(ErrorCode::invalid_argument, std::string("it is cut or damaged: ") + what);
}

// Takes the first record off `rest`.
Result<Record> take_record(std::string_view& rest) {
    if (rest.size() < kHeaderBytes) return torn("a record's header is cut");
    const std::size_t length = get_u32(rest);
    if (length < 2 || length > rest.size() - kHeaderBytes) return torn("a record is cut");
    const std::string_view body = rest.substr(kHeaderBytes, length);
    if (routing::crc32c(body) != get_u32(rest.substr(4))) return torn("a checksum differs");
    rest.remove_prefix(kHeaderBytes + length);
    return Record{body[0], body.substr(1)};
}

template <class T>
Result<T> read(std::string_view json) {
    Result<T> value = json::parse<T>(json);
    if (!value)
        return fail(
            ErrorCode::invalid_argument,
            "another version of the program wrote it: " + to_string(value.error())
        );
    return value;
}

Result<void> take_in(const Record& record, std::size_t number, OutageSnapshot& snapshot) {
    const char expected = number == 0 ? 'H' : number == 1 ? 'R' : record.kind;
    if (record.kind != expected) return torn("its records are out of order");
    switch (record.kind) {
        case 'H':
            if (number != 0) break;
            snapshot.head = TRY(read<SnapshotHead>(record.json));
            return {};
        case 'R':
            if (number != 1) break;
            snapshot.routes = TRY(read<RouteTable>(record.json));
            return {};
        case 'K':
            snapshot.keys.push_back(TRY(read<KeptKey>(record.json)));
            if (sha256_from_hex(snapshot.keys.back().sha256)) return {};
            return torn("a key has no hash");
        case 'L':
            snapshot.leases.push_back(TRY(read<routing::KeptLease>(record.json)));
            return {};
        default:
            break;
    }
    return torn("a record is of an unknown kind");
}

}  // namespace

std::string print_snapshot(const OutageSnapshot& snapshot) {
    std::string out(kSnapshotMagic);
    append(out, 'H', json::print(snapshot.head));
    append(out, 'R', json::print(snapshot.routes));
    for (const KeptKey& key : snapshot.keys) append(out, 'K', json::print(key));
    for (const routing::KeptLease& lease : snapshot.leases) append(out, 'L', json::print(lease));
    append(out, 'E', std::to_string(2 + snapshot.keys.size() + snapshot.leases.size()));
    return out;
}

Result<OutageSnapshot> read_snapshot(std::string_view bytes) {
    if (bytes.size() > kSnapshotBytesMax) return torn("it is too large");
    if (!bytes.starts_with(kSnapshotMagic))
        return fail(
            ErrorCode::invalid_argument, "it is no snapshot of this version (penstock-outage 1)"
        );
    std::string_view rest = bytes.substr(kSnapshotMagic.size());
    OutageSnapshot snapshot;
    for (std::size_t number = 0;; ++number) {
        const Record record = TRY(take_record(rest));
        if (record.kind != 'E') {
            TRY(take_in(record, number, snapshot));
            continue;
        }
        if (record.json != std::to_string(number) || number < 2) return torn("records are missing");
        if (!rest.empty()) return torn("something follows its end");
        return snapshot;
    }
}

Result<void> check_snapshot(const OutageSnapshot& snapshot, std::string_view replica, Time now) {
    const auto refused = [](std::string why) {
        return fail(ErrorCode::invalid_argument, std::move(why));
    };
    if (!replica.empty() && snapshot.head.holder.replica != replica)
        return refused(
            "it is of the gateway '" + snapshot.head.holder.replica +
            "': give --replica the name that it had, or this one a state folder of its own"
        );
    if (now - snapshot.head.written_at > KeyCache::kStaleMax)
        return refused(
            "it was written at " + to_rfc3339(snapshot.head.written_at) +
            ", which is too long ago; calls are served when the server can be reached"
        );
    if (snapshot.head.written_at - now > kFromFutureMax)
        return refused(
            "it was written at " + to_rfc3339(snapshot.head.written_at) +
            ", later than now by this machine's clock: set the clock"
        );
    return {};
}

}  // namespace penstock::gateway
