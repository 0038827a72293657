// SPDX-License-Identifier: Apache-2.0
#include "storage/group_committer.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <thread>

#include "base/guarded.h"
#include "storage/recorder.h"

namespace penstock::storage {
namespace {

// A store in memory that can be held up and made to fail.
class HeldStore final : public Store {
  public:
    Result<void> load(Visitor&, LoadScope) override { return {}; }
    Result<Page<AppendEvent>> events(const EventFilter&) override { return Page<AppendEvent>{}; }
    Result<std::int64_t> count_events(const EventFilter&) override { return 0; }
    Result<std::int64_t> last_event_seq() override { return 0; }
    Result<Page<AppendUsage>> usage(const UsageFilter&) override { return Page<AppendUsage>{}; }
    Result<std::int64_t> count_usage(const UsageFilter&) override { return 0; }
    Result<std::set<std::string>> known_usage(const std::vector<std::string>&) override {
        return std::set<std::string>{};
    }
    std::string describe() const override { return "memory"; }

    Result<void> commit(const Batch& batch) override {
        if (auto hold = std::exchange(held_, nullptr)) {
            reached.count_down();
            hold->wait();
        }
        Lock lock(mutex_);
        if (failing_) return fail(ErrorCode::resource_exhausted, "the disk is full");
        groups_.push_back(batch.writes.size());
        return {};
    }

    // The first commit stops until the latch opens; `reached` tells when it got there.
    explicit HeldStore(std::latch* held = nullptr) : held_(held) {}
    std::latch reached{1};
    void fail_from_now_on() {
        Lock lock(mutex_);
        failing_ = true;
    }
    std::vector<std::size_t> groups() {
        Lock lock(mutex_);
        return groups_;
    }

  private:
    std::latch* held_;
    Mutex mutex_;
    bool failing_ GUARDED_BY(mutex_) = false;
    std::vector<std::size_t> groups_ GUARDED_BY(mutex_);
};

Batch rows(std::size_t count) {
    Batch batch;
    for (std::size_t i = 0; i < count; ++i)
        batch.add(PutEntity{"task", std::to_string(i), "{}", 1});
    return batch;
}

// Collects the answers in the order they came.
class Answers {
  public:
    GroupCommitter::Done expect(int ticket) {
        return [this, ticket](Result<void> done) {
            answers_.with([&](std::string& text) {
                text += std::to_string(ticket) +
                        (done ? " " : ":" + std::string(info(done.error().code).name) + " ");
            });
        };
    }
    std::string text() {
        return answers_.with([](const std::string& text) { return text; });
    }

  private:
    Guarded<std::string> answers_;
};

TEST(GroupCommitter, AnswersInTheOrderOfTickets) {
    HeldStore store;
    Answers answers;
    {
        GroupCommitter committer(store);
        for (int ticket = 1; ticket <= 5; ++ticket)
            EXPECT_EQ(
                committer.submit(rows(1), answers.expect(ticket)),
                static_cast<std::uint64_t>(ticket)
            );
    }
    EXPECT_EQ(answers.text(), "1 2 3 4 5 ");
}

TEST(GroupCommitter, CommitsWhatCameMeanwhileAsOneGroup) {
    std::latch held(1);
    HeldStore store(&held);
    Answers answers;
    {
        GroupCommitter committer(store);
        committer.submit(rows(1), answers.expect(1));
        store.reached.wait();
        for (int ticket = 2; ticket <= 9; ++ticket)
            committer.submit(rows(3), answers.expect(ticket));
        EXPECT_EQ(answers.text(), "");
        held.count_down();
    }
    EXPECT_EQ(store.groups(), (std::vector<std::size_t>{1, 24}));
    EXPECT_EQ(answers.text(), "1 2 3 4 5 6 7 8 9 ");
}

TEST(GroupCommitter, AGroupEndsAtItsRowLimitAndNeverCutsABatch) {
    std::latch held(1);
    HeldStore store(&held);
    Answers answers;
    {
        GroupCommitter committer(store);
        committer.submit(rows(1), answers.expect(1));
        store.reached.wait();
        committer.submit(rows(kBatchRowsMax - 1), answers.expect(2));
        committer.submit(rows(2), answers.expect(3));
        committer.submit(rows(kBatchRowsMax + 5), answers.expect(4));
        held.count_down();
    }
    EXPECT_EQ(
        store.groups(), (std::vector<std::size_t>{1, kBatchRowsMax - 1, 2, kBatchRowsMax + 5})
    );
}

TEST(GroupCommitter, OneFailureFailsAllThatFollows) {
    HeldStore store;
    Answers answers;
    {
        GroupCommitter committer(store);
        std::promise<void> first;
        committer.submit(rows(1), [&](Result<void>) { first.set_value(); });
        first.get_future().wait();
        EXPECT_FALSE(committer.poisoned());
        store.fail_from_now_on();
        std::promise<void> second;
        committer.submit(rows(1), [&, done = answers.expect(2)](Result<void> result) mutable {
            done(std::move(result));
            second.set_value();
        });
        second.get_future().wait();
        EXPECT_TRUE(committer.poisoned());
        committer.submit(rows(1), answers.expect(3));
        committer.submit({}, answers.expect(4));
    }
    EXPECT_EQ(answers.text(), "2:resource_exhausted 3:unavailable 4:unavailable ");
    EXPECT_EQ(store.groups(), std::vector<std::size_t>{1});
}

TEST(GroupCommitter, AFullQueueSlowsItsWritersDown) {
    std::latch held(1);
    HeldStore store(&held);
    GroupCommitter committer(store);
    committer.submit(rows(1), [](Result<void>) {});
    store.reached.wait();
    EXPECT_TRUE(committer.has_room());
    committer.submit(rows(kQueueRowsMax), [](Result<void>) {});
    EXPECT_FALSE(committer.has_room());

    std::promise<void> through;
    std::thread writer([&] {
        committer.submit(rows(1), [&](Result<void>) { through.set_value(); });
    });
    EXPECT_EQ(committer.statistics().batches, 0U);
    held.count_down();
    through.get_future().wait();
    writer.join();

    EXPECT_TRUE(committer.has_room());
}

TEST(GroupCommitter, ManyThreadsEachGetTheirAnswer) {
    HeldStore store;
    std::latch all(400);
    GroupCommitter committer(store);
    std::vector<std::thread> threads;
    threads.reserve(8);
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i)
                committer.submit(rows(1), [&](Result<void>) { all.count_down(); });
        });
    for (std::thread& thread : threads) thread.join();
    all.wait();
    EXPECT_EQ(committer.statistics().batches, 400U);
    EXPECT_EQ(committer.statistics().rows, 400U);
}

}  // namespace
}  // namespace penstock::storage
