// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/endpoint.h"
#include "routing/kept_lease.h"

namespace penstock::gateway {

// A key that the server had vouched for, by its SHA-256 in hex; the key itself is nowhere.
struct KeptKey {
    std::string sha256;
    Time fresh_until;
    Time good_until;
    Time told_at;
    ResolvedKey key;
    bool operator==(const KeptKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(KeptKey, (), (sha256, fresh_until, good_until, told_at, key))

struct SnapshotHead {
    routing::LeaseHolder holder;  // the process that wrote it
    Time written_at;
    // What `leases` have used is without the records of this segment of its spool and later ones.
    std::uint64_t spool_segment = 0;
    bool operator==(const SnapshotHead&) const = default;
};
BOOST_DESCRIBE_STRUCT(SnapshotHead, (), (holder, written_at, spool_segment))

// What a gateway serves from while the server is away.
struct OutageSnapshot {
    SnapshotHead head;
    RouteTable routes;  // with the keys of engines, and the keys that were revoked
    std::vector<KeptKey> keys;
    std::vector<routing::KeptLease> leases;
    bool operator==(const OutageSnapshot&) const = default;
};

// The file's format:
//     file   = "penstock-outage 1\n" record…
//     record = length crc kind json
//     length = u32, little endian: bytes of kind and json
//     crc    = u32, little endian: CRC-32C of kind and json
//     kind   = "H" (SnapshotHead, the first) / "R" (RouteTable, the second) / "K" (KeptKey) /
//              "L" (KeptLease) / "E" (the last: how many records came before, as a number)
// It is read whole or not at all: one that was cut at any byte is refused.
constexpr std::string_view kSnapshotMagic = "penstock-outage 1\n";
constexpr std::size_t kSnapshotBytesMax = 512UL * 1024 * 1024;
std::string print_snapshot(const OutageSnapshot& snapshot);
// invalid_argument: why it is not one.
Result<OutageSnapshot> read_snapshot(std::string_view bytes);

// Whether a gateway named `replica` may go on with it at `now`; else why not, and what to do.
Result<void> check_snapshot(const OutageSnapshot& snapshot, std::string_view replica, Time now);

}  // namespace penstock::gateway
