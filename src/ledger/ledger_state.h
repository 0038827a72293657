// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ledger/history.h"
#include "ledger/ledger.h"
#include "ledger/request_hash.h"

namespace penstock::ledger {

// Ids from here on are the platform's own: expire transfers are named kReservedHigh + seq.
constexpr std::uint64_t kReservedHigh = 0xFFFF'0000'0000'0000;

// Reason::ok, or what is wrong with the request whatever the state is.
Reason check_request(const TransferRequest& request);

// The inside of a Ledger. apply() and unapply_last() are exact inverses; check() decides, they
// obey.
struct Ledger::State {
    explicit State(LedgerOptions options) : history(options.id_hash_seed) {}

    // Null when unknown.
    Account* account(AccountId id);
    AccountIndex index_of(AccountId id) const;  // the account exists
    void add_account(const AccountSpec& spec);

    // Whether the state lets a well-formed request through at `ts`. The platform's clock may expire
    // a hold after its deadline; callers may then no longer resolve it.
    Reason check(const TransferRequest& request, Time ts);
    // The row that a request leads to when check() said ok.
    Transfer row_of(
        const TransferRequest& request, const RequestHash& hash, std::uint64_t chain, Time ts
    );
    void apply(const Transfer& transfer);
    void unapply_last();

    // Evaluates a well-formed chain of unknown ids, leaves it applied when all members pass, undone
    // otherwise. The answers say which.
    std::vector<Answer> try_chain(
        std::span<const TransferRequest> chain, const RequestHash& hash, Time ts
    );
    // The answers of before, when the first known id belongs to this very chain; `id_reused` when
    // not; none when all ids are new.
    std::vector<Answer> recall(std::span<const TransferRequest> chain, const RequestHash& hash)
        const;

    Transfer unpack(std::uint64_t seq) const;
    Hold hold_of(std::uint64_t pending_seq) const;
    Time clamp(Time now) const;  // ts never runs back
    Result<void> replay_row(const Transfer& row);
    Result<void> verify_sums() const;
    // The new states of all that the transfers from `first_seq` on have touched.
    Rows rows_since(std::uint64_t first_seq) const;

    std::deque<Account> accounts;  // by AccountIndex; stable addresses
    boost::unordered_flat_map<AccountId, AccountIndex, std::hash<AccountId>> account_index;
    std::map<std::string, std::vector<AccountIndex>, std::less<>> accounts_by_owner;
    History history;
    std::map<std::uint64_t, Hold> open_holds;  // by seq of the pending transfer
    std::set<std::pair<Time, std::uint64_t>> deadlines;
    std::set<std::pair<AccountIndex, std::uint64_t>> holds_by_debit;
    RequestHasher hasher;

  private:
    Reason check_movement(const TransferRequest& request, Time ts);
    Reason check_resolution(const TransferRequest& request, Time ts) const;
    void open_hold(std::uint64_t seq, const Hold& hold);
    void close_hold(std::uint64_t seq);
};

}  // namespace penstock::ledger
