// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ledger/ledger.h"

namespace penstock::ledger {

constexpr std::uint64_t kTransfersMax = 0xFFFF'FFFE;  // rows link to each other by 32 bits

// Where an account stands in memory.
using AccountIndex = std::uint32_t;

// All transfers and burnt ids, packed, with the index from id to answer. A transfer takes 88 bytes,
// its id about 30 more, each distinct ref some 150; a burnt id 48 and 30. Only ledger*.cpp see
// this.
class History {
  public:
    explicit History(std::uint64_t hash_seed) : by_id_(0, IdHash{hash_seed}) {}

    struct Row {
        RawId id, hash;
        std::int64_t amount = 0;
        std::int64_t ts = 0;
        std::int64_t deadline = kNoDeadline;  // pending
        AccountIndex debit = 0, credit = 0;
        std::uint32_t pending_seq = 0;  // post, void_, expire
        std::uint32_t ref = 0;          // 0: none
        std::uint32_t previous_of_debit = 0, previous_of_credit = 0, previous_of_ref = 0;
        std::uint16_t chain_offset = 0;  // seq − seq of the chain's first member
        TransferKind kind : 3 = TransferKind::single;
        HoldState hold_state : 2 = HoldState::open;  // pending
        TransferCode code = TransferCode::charge;
    };
    static constexpr std::int64_t kNoDeadline = INT64_MIN;

    std::uint64_t last_seq() const { return rows_.size(); }
    const Row& row(std::uint64_t seq) const { return rows_[seq - 1]; }
    void set_hold_state(std::uint64_t seq, HoldState state) { rows_[seq - 1].hold_state = state; }

    // `row` comes without its links; the caller keeps each account's newest seq.
    void append(Row row, std::string_view ref_type, std::string_view ref_id);
    void remove_last();
    void burn(const BurntId& burnt);

    // The seq of a transfer or the burnt id that an id stands for.
    std::variant<std::monostate, std::uint64_t, const BurntId*> find(const RawId& id) const;
    const std::deque<BurntId>& burnt() const { return burnt_; }

    struct Ref {
        std::string type, id;
        std::uint32_t newest = 0;
    };
    const Ref& ref_of(const Row& row) const { return refs_[row.ref]; }
    std::uint64_t newest_by_ref(std::string_view ref_type, std::string_view ref_id) const;

  private:
    // Clients choose ids, so the hash mixes all bits with a seed that they do not know.
    struct IdHash {
        using is_avalanching = void;
        std::uint64_t seed = 0;
        std::size_t operator()(const RawId& id) const noexcept;
    };
    std::uint32_t intern(std::string_view ref_type, std::string_view ref_id);

    std::deque<Row> rows_;
    std::deque<BurntId> burnt_;
    // seq·2 of a transfer, or index·2 + 1 of a burnt id.
    boost::unordered_flat_map<RawId, std::uint64_t, IdHash> by_id_;
    std::deque<Ref> refs_{Ref{}};
    // Keys are type, a zero byte, id.
    boost::unordered_flat_map<std::string, std::uint32_t> by_ref_;
};

}  // namespace penstock::ledger
