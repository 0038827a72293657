// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "io/event.h"
#include "io/runtime.h"
#include "storage/group_committer.h"
#include "storage/store.h"

namespace penstock::server {

using Ticket = std::uint64_t;

// The order in which changes become durable, for one executor. Memory is changed first; submit()
// hands the rows over, and nobody outside learns of the change before committed() says so. After a
// failed commit memory is ahead of the store: every later wait fails too, and `on_failure` ends the
// process.
class Journal {
  public:
    Journal(io::Runtime& runtime, storage::Store& store, std::function<void(Error)> on_failure);
    ~Journal();

    // `after` runs on the executor once the batch is durable, in the order of submission.
    Ticket submit(storage::Batch batch, std::vector<std::move_only_function<void()>> after);
    Ticket last() const { return last_; }
    Ticket durable() const { return durable_; }
    // Returns when everything up to `ticket` is durable.
    io::Task<Result<void>> committed(Ticket ticket);
    bool failed() const { return error_.has_value(); }

  private:
    void done(Ticket ticket, Result<void> result);

    io::Runtime& runtime_;
    std::function<void(Error)> on_failure_;
    io::Event changed_;
    std::map<Ticket, std::vector<std::move_only_function<void()>>> after_;
    Ticket last_ = 0;
    Ticket durable_ = 0;
    std::optional<Error> error_;
    // Shared with callbacks that may be posted while the journal goes away.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::unique_ptr<storage::GroupCommitter> committer_;  // last: its thread stops first
};

}  // namespace penstock::server
