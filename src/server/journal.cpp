// SPDX-License-Identifier: Apache-2.0
#include "server/journal.h"

#include "base/check.h"

namespace penstock::server {

Journal::Journal(io::Runtime& runtime, storage::Store& store, std::function<void(Error)> on_failure)
    : runtime_(runtime),
      on_failure_(std::move(on_failure)),
      changed_(runtime.executor()),
      committer_(std::make_unique<storage::GroupCommitter>(store)) {}

Journal::~Journal() {
    *alive_ = false;
    committer_.reset();
}

Ticket Journal::submit(storage::Batch batch, std::vector<std::move_only_function<void()>> after) {
    const Ticket ticket = ++last_;
    if (!after.empty()) after_.emplace(ticket, std::move(after));
    if (error_) return ticket;
    const std::uint64_t given =
        committer_->submit(std::move(batch), [this, alive = alive_, ticket](Result<void> result) {
            runtime_.post([this, alive, ticket, result = std::move(result)]() mutable {
                if (*alive) done(ticket, std::move(result));
            });
        });
    CHECK(given == ticket, "the journal is the committer's only user");
    return ticket;
}

io::Task<Result<void>> Journal::committed(Ticket ticket) {
    while (!error_ && durable_ < ticket) co_await changed_.wait();
    if (durable_ >= ticket) co_return Result<void>{};
    co_return std::unexpected(*error_);
}

void Journal::done(Ticket ticket, Result<void> result) {
    if (!result && !error_) {
        error_ = std::move(result.error());
        changed_.notify_all();
        on_failure_(*error_);
    }
    if (error_) return;
    durable_ = ticket;
    if (auto found = after_.extract(ticket); !found.empty())
        for (std::move_only_function<void()>& action : found.mapped()) action();
    changed_.notify_all();
}

}  // namespace penstock::server
