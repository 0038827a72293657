// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "gateway/key_cache.h"
#include "model/endpoint.h"

namespace penstock::gateway {

// An answer as a client got it, and the record of the call that it was kept from.
struct CachedAnswer {
    bool streamed = false;
    std::vector<std::string> writes;  // of a stream each as it was sent; else one
    CallRecord record;
    Time kept_at;
    Time expires_at;
    std::size_t bytes() const;
};
using CachedAnswerPtr = std::shared_ptr<const CachedAnswer>;  // replays outlive an eviction

// Answers by the SHA-256 of tenant, path and request. Bounded in bytes: at the cap what was used
// longest ago goes. No clock, no I/O.
class AnswerCache {
  public:
    static constexpr std::size_t kBytesMax = 64UL * 1024 * 1024;
    static constexpr std::size_t kAnswerBytesMax = 1024UL * 1024;  // larger ones are not kept
    static constexpr std::size_t kOverheadBytes = 512;             // counted for each answer

    explicit AnswerCache(std::size_t bytes_max = kBytesMax) : bytes_max_(bytes_max) {}

    // Null: not there, or over.
    CachedAnswerPtr find(const Sha256& key, Time now);
    void put(const Sha256& key, CachedAnswer answer);
    std::size_t size() const { return entries_.size(); }
    std::size_t bytes() const { return bytes_; }
    std::uint64_t evicted() const { return evicted_; }

  private:
    struct Hash {
        std::size_t operator()(const Sha256& digest) const noexcept;
    };
    struct Entry {
        Sha256 key;
        CachedAnswerPtr answer;
    };
    using Order = std::list<Entry>;  // used last first
    void erase(Order::iterator entry);

    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::uint64_t evicted_ = 0;
    Order order_;
    std::unordered_map<Sha256, Order::iterator, Hash> entries_;
};

}  // namespace penstock::gateway
