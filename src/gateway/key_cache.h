// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "base/time.h"
#include "model/endpoint.h"

namespace penstock::gateway {

using Sha256 = std::array<unsigned char, 32>;
Sha256 sha256(std::string_view bytes);
std::string to_hex(const Sha256& digest);
std::optional<Sha256> sha256_from_hex(std::string_view hex);

// What the server said of a key; calls share it.
using KeyPtr = std::shared_ptr<const ResolvedKey>;

// What the server said about keys, by the SHA-256 of the key: the key itself is not kept. Compared
// in constant time. At the cap an old entry makes room. No clock, no I/O.
class KeyCache {
  public:
    static constexpr std::size_t kKeysMax = 100'000;
    static constexpr Duration kSweepInterval =
        1s;  // at the cap, old entries are looked for this often
    static constexpr Duration kKnownMax = 10min;  // however long the server allows
    static constexpr Duration kUnknownFor = 5s;   // a refused key is asked for again after it
    static constexpr Duration kStaleMax = 1h;     // past its time, while the server cannot be asked

    explicit KeyCache(std::size_t keys_max = kKeysMax) : keys_max_(keys_max) {}

    struct Entry {
        KeyPtr key;  // null: the server does not know the key
        Time fresh_until;
    };
    const Entry* find(const Sha256& digest) const;
    void put_known(const Sha256& digest, ResolvedKey key, Time now);
    void put_unknown(const Sha256& digest, Time now);
    // From the route table; the key is not accepted again, not even stale.
    void revoke(std::string_view sha256_hex, Time now);
    // Likewise: its limits or settings have changed; it is asked for again before its next call.
    void renew(std::string_view sha256_hex, Time now);
    std::size_t size() const { return entries_.size(); }

  private:
    struct Hash {
        std::size_t operator()(const Sha256& digest) const noexcept;
    };
    struct Equal {
        bool operator()(const Sha256& a, const Sha256& b) const noexcept;
    };
    void make_room(Time now);
    std::size_t keys_max_;
    Time swept_at_;
    std::unordered_map<Sha256, Entry, Hash, Equal> entries_;
};

}  // namespace penstock::gateway
