// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "ledger/account.h"
#include "ledger/transfer.h"

namespace penstock::ledger {

constexpr std::size_t kChainMembersMax = 1'024;
constexpr std::size_t kExpirePerCallMax = 8'190;
constexpr std::size_t kPageMax = 1'000;
constexpr std::size_t kRefBytesMax = 256;
constexpr std::size_t kAccountTextBytesMax = 256;

// Rows to store: the new state of each touched account and hold (once each), new transfers in seq
// order, newly burnt ids. Storing them in one transaction keeps the store equal to the ledger.
struct Rows {
    std::vector<Account> accounts;
    std::vector<Transfer> transfers;
    std::vector<Hold> holds;
    std::vector<BurntId> burnt;
    bool empty() const {
        return accounts.empty() && transfers.empty() && holds.empty() && burnt.empty();
    }
};

struct Answer {
    TransferId id;
    Reason reason = Reason::ok;
    std::uint64_t seq = 0;  // of the transfer, when ok
    bool operator==(const Answer&) const = default;
};

struct ChainResult {
    std::vector<Answer> answers;  // one per member, in order
    bool repeated = false;        // answered from memory: nothing happened now
    Rows rows;

    bool ok() const;
    // The first member with a reason of its own, as an Error for a person. The same for a
    // repetition.
    Result<void> result() const;
};

struct OpenResult {
    Account account;
    Rows rows;  // empty when it was open already with the same attributes
};

struct ExpireResult {
    Rows rows;
    bool more = false;  // kExpirePerCallMax was reached: call again
};

// Newest first; the next page is asked for with the last row's seq.
struct TransferPage {
    std::vector<Transfer> rows;
    bool more = false;
};

struct LedgerOptions {
    std::uint64_t id_hash_seed = 0;  // random in production: clients choose the ids that are hashed
};

// Double-entry accounts in memory. Pure: no clock, no I/O; one owner. Every change is applied at
// once and handed back as rows; the owner acknowledges only after these are durable, and restarts
// from the store if that fails.
//   const ChainResult done = ledger.submit(std::array{hold}, now);
// Rules: a limit counts holds, so a granted hold can always be posted; a chain happens whole or not
// at all; the same id with the same request gets the first answer again, for ever; a hold resolves
// at most once and never at or after its deadline (expire() releases it then).
class Ledger {
  public:
    explicit Ledger(LedgerOptions options = {});
    ~Ledger();
    Ledger(Ledger&&) noexcept;
    Ledger& operator=(Ledger&&) noexcept;

    // Idempotent; other attributes under the same id are a conflict.
    Result<OpenResult> open_account(const AccountSpec& spec);
    // Only an account with no balance and no holds. Closing a closed one changes nothing.
    Result<Rows> close_account(AccountId id);

    ChainResult submit(std::span<const TransferRequest> linked_chain, Time now);
    ChainResult submit(const TransferRequest& request, Time now);
    // What submit would answer now. Changes nothing and burns nothing.
    std::vector<Answer> preview(std::span<const TransferRequest> linked_chain, Time now) const;
    // Releases holds whose deadline is at or before `now`, oldest deadline first.
    ExpireResult expire(Time now);
    // The earliest deadline of an open hold: when expire() has work next.
    std::optional<Time> next_deadline() const;

    // Null when unknown. Pointers to accounts stay valid as long as the ledger.
    const Account* find_account(AccountId id) const;
    std::vector<const Account*> accounts_of(std::string_view owner) const;  // by id
    std::vector<const Account*> accounts() const;                           // by id
    std::optional<Transfer> find_transfer(TransferId id) const;
    std::optional<Transfer> transfer_at(std::uint64_t seq) const;
    // Pointers to holds are valid until the next change.
    const Hold* find_hold(TransferId pending_id) const;          // open ones only
    HoldState hold_state(const Transfer& pending) const;         // of any pending transfer
    std::vector<const Hold*> open_holds(AccountId debit) const;  // oldest first
    std::size_t open_hold_count() const;
    // `before_seq` 0 starts at the newest. At most min(limit, kPageMax) rows.
    TransferPage transfers_of(AccountId account, std::uint64_t before_seq, std::size_t limit) const;
    TransferPage transfers_by_ref(
        std::string_view ref_type, std::string_view ref_id, std::uint64_t before_seq,
        std::size_t limit
    ) const;
    std::uint64_t last_seq() const;
    Time last_ts() const;

    // Rebuilds from everything that was ever stored, in any order within each list. Refuses rows
    // that contradict each other (gap in seq, unknown account, twice one id).
    static Result<Ledger> restore(Rows rows, LedgerOptions options = {});
    // The same accounts with the transfers applied from nothing.
    static Result<Ledger> replay(
        std::span<const AccountSpec> accounts, std::span<const Transfer> transfers,
        LedgerOptions options = {}
    );
    // Checks invariants: sums per asset, limits, holds against pending totals, seq and ts, ids, and
    // balances against a replay. O(everything): for start-up, samplers and tests.
    Result<void> verify() const;
    // Accounts, holds and transfers as text, one line each, in a fixed order.
    std::string render() const;

    struct State;  // ledger_state.h, for this module's own .cpp files

  private:
    explicit Ledger(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace penstock::ledger
