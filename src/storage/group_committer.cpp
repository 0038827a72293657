// SPDX-License-Identifier: Apache-2.0
#include "storage/group_committer.h"

#include <deque>
#include <iterator>
#include <optional>
#include <thread>

#include "base/guarded.h"

namespace penstock::storage {
namespace {

struct Submission {
    Batch batch;
    GroupCommitter::Done done;
};

}  // namespace

struct GroupCommitter::State {
    explicit State(Store& to) : store(to) {}

    void run();
    // Waits for work; empty when it is time to end.
    std::vector<Submission> take_group();
    Result<void> commit(std::vector<Submission>& group);

    Store& store;
    mutable Mutex mutex;
    ConditionVariable work, room;
    std::deque<Submission> queue GUARDED_BY(mutex);
    std::size_t rows_waiting GUARDED_BY(mutex) = 0;
    std::uint64_t last_ticket GUARDED_BY(mutex) = 0;
    bool stopping GUARDED_BY(mutex) = false;
    std::optional<Error> failure GUARDED_BY(mutex);
    Statistics statistics GUARDED_BY(mutex);
    std::thread thread;
};

GroupCommitter::GroupCommitter(Store& store) : state_(std::make_unique<State>(store)) {
    state_->thread = std::thread([state = state_.get()] { state->run(); });
}

GroupCommitter::~GroupCommitter() {
    {
        Lock lock(state_->mutex);
        state_->stopping = true;
    }
    state_->work.notify_all();
    state_->thread.join();
}

std::uint64_t GroupCommitter::submit(Batch batch, Done done) {
    std::uint64_t ticket = 0;
    {
        Lock lock(state_->mutex);
        while (state_->rows_waiting >= kQueueRowsMax) state_->room.wait(state_->mutex);
        state_->rows_waiting += batch.writes.size();
        state_->queue.push_back({std::move(batch), std::move(done)});
        ticket = ++state_->last_ticket;
    }
    state_->work.notify_one();
    return ticket;
}

bool GroupCommitter::has_room() const {
    Lock lock(state_->mutex);
    return state_->rows_waiting < kQueueRowsMax;
}

bool GroupCommitter::poisoned() const {
    Lock lock(state_->mutex);
    return state_->failure.has_value();
}

GroupCommitter::Statistics GroupCommitter::statistics() const {
    Lock lock(state_->mutex);
    return state_->statistics;
}

std::vector<Submission> GroupCommitter::State::take_group() {
    std::vector<Submission> group;
    {
        Lock lock(mutex);
        while (queue.empty() && !stopping) work.wait(mutex);
        std::size_t rows = 0;
        while (!queue.empty()) {
            const std::size_t more = queue.front().batch.writes.size();
            if (!group.empty() && rows + more > kBatchRowsMax) break;
            rows += more;
            group.push_back(std::move(queue.front()));
            queue.pop_front();
        }
        rows_waiting -= rows;
    }
    room.notify_all();
    return group;
}

Result<void> GroupCommitter::State::commit(std::vector<Submission>& group) {
    {
        Lock lock(mutex);
        if (failure)
            return fail(
                ErrorCode::unavailable, "an earlier commit failed (" + failure->message +
                                            "): the server must restart from its store"
            );
    }
    Batch all;
    for (Submission& one : group)
        all.writes.insert(
            all.writes.end(), std::make_move_iterator(one.batch.writes.begin()),
            std::make_move_iterator(one.batch.writes.end())
        );
    Result<void> done = store.commit(all);
    Lock lock(mutex);
    if (!done) failure = done.error();
    statistics.groups += 1;
    statistics.batches += group.size();
    statistics.rows += all.writes.size();
    return done;
}

void GroupCommitter::State::run() {
    while (true) {
        std::vector<Submission> group = take_group();
        if (group.empty()) return;
        const Result<void> done = commit(group);
        for (Submission& one : group) one.done(done);
    }
}

}  // namespace penstock::storage
