// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/result.h"
#include "storage/store.h"

namespace penstock::storage {

constexpr std::size_t kQueueRowsMax = 65'520;  // waiting for the disk; 8 full groups

// Makes batches durable on its own thread, many per transaction: what came while the disk was busy
// goes into the next group, up to kBatchRowsMax rows. It never waits for more, and a batch is never
// cut. After one failed commit every later one fails as well: memory is ahead of the disk then, and
// the process must restart from the store.
class GroupCommitter {
  public:
    // Called on the committer's thread, in the order of submit; must not block or throw. Post from
    // there to the executor that owns the state.
    using Done = std::move_only_function<void(Result<void>)>;

    explicit GroupCommitter(Store& store);
    // Commits all that was submitted, then ends the thread.
    ~GroupCommitter();
    GroupCommitter(const GroupCommitter&) = delete;
    GroupCommitter& operator=(const GroupCommitter&) = delete;

    // Returns the ticket, 1, 2, 3 …. From any thread. Blocks while kQueueRowsMax rows wait (so that
    // the disk slows its writers down); ask has_room() first where waiting is not wanted. An empty
    // batch is done when all before it are.
    std::uint64_t submit(Batch batch, Done done);
    bool has_room() const;
    bool poisoned() const;

    struct Statistics {
        std::uint64_t groups = 0, batches = 0, rows = 0;
    };
    Statistics statistics() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penstock::storage
