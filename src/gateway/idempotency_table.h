// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "gateway/idempotency_record.h"

namespace penstock::gateway {

// Which keys are in use or were charged: what the records of the log say, applied one after the
// other, whichever process wrote them. A key belongs to one API key and to one request. Bounded: at
// kEntriesMax the key that ended longest ago makes room once it is older than kKeptAtLeast; before
// that, new keys are refused. No clock, no I/O.
class IdempotencyTable {
  public:
    static constexpr Duration kKeptFor = 24h;
    static constexpr Duration kKeptAtLeast = 10min;  // however many there are
    static constexpr std::size_t kEntriesMax = 200'000;

    explicit IdempotencyTable(std::size_t entries_max = kEntriesMax) : entries_max_(entries_max) {}

    // Where a record lies in the log.
    struct Place {
        std::uint64_t segment = 0;  // 0: nowhere
        std::uint64_t offset = 0;
        std::size_t bytes = 0;
        bool operator==(const Place&) const = default;
    };
    struct Entry {
        Sha256 fingerprint{};
        RequestId call_id;
        Time at;  // of its begin while it runs, else of its end
        ExactMoney charge;
        Place place;
        std::uint32_t owner = 0;     // while it runs: owner_name()
        std::optional<KeptEnd> end;  // nothing: it runs
    };

    void apply(const IdempotencyRecord& record, const Place& place);

    enum class Ruling : std::uint8_t { begins, runs, ended, other_request, full };
    struct Judgement {
        Ruling ruling = Ruling::begins;
        Entry entry;  // of `runs`, `ended` and `other_request`
    };
    // What a request with this key is. `begins` makes room for it.
    Judgement judge(const Sha256& token, const Sha256& fingerprint, Time now);

    // Null: not known, or over.
    const Entry* find(const Sha256& token, Time now) const;
    std::size_t size() const { return entries_.size(); }
    std::size_t running() const { return running_; }
    std::uint64_t keys_evicted() const { return keys_evicted_; }
    const std::string& owner_name(const Entry& entry) const { return owners_[entry.owner]; }

    // What must be written anew if the records of a segment go: keys that are in use or kept.
    // Answers go with the segment.
    std::vector<IdempotencyRecord> carried_over(std::uint64_t segment, Time now) const;
    // The segment is gone, and with it all that was not carried over.
    void forget_segment(std::uint64_t segment);

    // All of them, in no order.
    template <class Visit>
    void for_each(Visit&& visit) const {
        for (const auto& [token, entry] : entries_) visit(token, entry);
    }

  private:
    struct Hash {
        std::size_t operator()(const Sha256& digest) const noexcept;
    };
    std::uint32_t owner_of(std::string_view name);
    void erase(const Sha256& token);
    void forget_old(Time now);
    bool evict_one(std::optional<Time> now);

    std::size_t entries_max_;
    std::unordered_map<Sha256, Entry, Hash> entries_;
    std::deque<std::pair<Time, Sha256>> ended_;  // as they ended; of entries that are as they were
    std::vector<std::string> owners_{std::string()};
    std::size_t running_ = 0;
    std::uint64_t keys_evicted_ = 0;
};

}  // namespace penstock::gateway
