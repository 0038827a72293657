// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "ledger/ledger.h"
#include "storage/store.h"

namespace penstock::bench {

// What is submitted. `hot`: every transfer debits one account. `bills`: in turn the hold of a task
// and the linked chain that bills it (post to the escrow, provider's share, fee), as the server
// does.
enum class Pattern : std::uint8_t { spread, hot, bills };

// A ledger of funded accounts and the requests that callers make of it, the same in every run. One
// owner; a request that is refused ends the program.
class Workload {
  public:
    Workload(Pattern pattern, std::size_t callers);

    // Opens the accounts and funds them; to be stored before the clock starts.
    storage::Batch open_accounts();
    // The next submission of one caller, applied to the ledger. Its last one must be durable.
    ledger::Rows next(std::size_t caller);
    const ledger::Ledger& ledger() const { return ledger_; }

  private:
    ledger::TransferId next_id() { return ids_.next<ledger::TransferId>(Time(Duration(++time_))); }
    ledger::Rows submit(const std::vector<ledger::TransferRequest>& chain);
    ledger::Rows transfer();
    ledger::Rows hold(std::size_t caller);
    ledger::Rows bill(std::size_t caller);

    // A task's open hold; no amount: the caller's next request is a hold.
    struct Task {
        ledger::TransferId hold = {};
        std::uint64_t party = 0;
        Money amount = {};
    };

    Pattern pattern_;
    ledger::Ledger ledger_;
    std::int64_t time_ = 0;
    SeededRandom random_{42};
    IdSource ids_{random_};
    std::vector<Task> tasks_;  // by caller
};

// Ends the program where a measurement cannot be trusted.
[[noreturn]] void give_up(const Error& error);
template <class T>
T must(Result<T> result) {
    if (!result) give_up(result.error());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace penstock::bench
