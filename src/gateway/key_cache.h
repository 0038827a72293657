// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

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
// in constant time. Keys that it knows and keys that it does not are bounded apart, so that guesses
// push out no key in use; at its bound each forgets first what was told longest ago. No clock, no
// I/O.
class KeyCache {
  public:
    static constexpr std::size_t kKnownKeysMax = 250'000;
    static constexpr std::size_t kUnknownKeysMax = 10'000;
    static constexpr Duration kKnownMax = 10min;   // however long the server allows
    static constexpr Duration kUnknownFor = 5s;    // a refused key is asked for again after it
    static constexpr Duration kBesideMax = 10min;  // past its time, while it is asked for again
    static constexpr Duration kStaleMax = 75min;  // past its time, while the server cannot be asked

    explicit KeyCache(
        std::size_t known_max = kKnownKeysMax, std::size_t unknown_max = kUnknownKeysMax
    )
        : known_(known_max), unknown_(unknown_max) {}

    struct Entry {
        KeyPtr key;  // null: the server does not know the key
        Time fresh_until;
        // Until then no call need wait while the key is asked for again, unless a change was missed
        // that the server told after `told_at`.
        Time good_until{};
        Time told_at{};
    };
    const Entry* find(const Sha256& digest) const;
    // What it keeps from now on, until it has to forget it.
    Entry put_known(const Sha256& digest, ResolvedKey key, Time now);
    Entry put_unknown(const Sha256& digest, Time now);
    // From the route table; the key is not accepted again, not even stale.
    void revoke(std::string_view sha256_hex, Time now);
    // Likewise: its limits or settings have changed; it is asked for again before its next call.
    void renew(std::string_view sha256_hex, Time now);
    // Of keys that the server knows, those that are good for calls while it is away, the one told
    // longest ago first.
    std::vector<std::pair<Sha256, Entry>> known(Time now) const;
    // As another process had it.
    void restore(const Sha256& digest, Entry entry) { known_.put(digest, std::move(entry)); }
    std::size_t size() const { return known_.size() + unknown_.size(); }
    // Entries that had to go although nobody took them back.
    std::uint64_t forgotten() const { return known_.forgotten() + unknown_.forgotten(); }

  private:
    struct Hash {
        std::size_t operator()(const Sha256& digest) const noexcept;
    };
    struct Equal {
        bool operator()(const Sha256& a, const Sha256& b) const noexcept;
    };
    // As many entries as it may have; the one that was put longest ago makes room.
    class Table {
      public:
        explicit Table(std::size_t max) : max_(max) {}
        Entry* find(const Sha256& digest) const;
        void put(const Sha256& digest, Entry entry);
        void erase(const Sha256& digest);
        const std::list<std::pair<Sha256, Entry>>& entries() const { return by_age_; }
        std::size_t size() const { return by_digest_.size(); }
        std::uint64_t forgotten() const { return forgotten_; }

      private:
        using ByAge = std::list<std::pair<Sha256, Entry>>;  // the newest last
        std::size_t max_;
        std::uint64_t forgotten_ = 0;
        ByAge by_age_;
        std::unordered_map<Sha256, ByAge::iterator, Hash, Equal> by_digest_;
    };
    Table known_;
    Table unknown_;
};

}  // namespace penstock::gateway
