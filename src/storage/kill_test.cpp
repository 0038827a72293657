// SPDX-License-Identifier: Apache-2.0
// A child commits numbered batches and prints each acknowledgement; the parent kills it at a random
// moment. Every acknowledged batch is there afterwards, whole and once; an unacknowledged one whole
// or not at all.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/random.h"
#include "storage/group_committer.h"
#include "storage/recorder.h"
#include "storage/test_databases.h"

namespace penstock::storage {
namespace {

constexpr int kRounds = 8;
constexpr std::int64_t kRowsPerBatch = 5;

Batch numbered(std::int64_t number) {
    Batch batch;
    for (std::int64_t i = 0; i < kRowsPerBatch; ++i)
        batch.add(
            AppendEvent{number * kRowsPerBatch + i, Time{}, "s", "t", "", std::to_string(number)}
        );
    batch.add(PutEntity{"counter", "c", std::to_string(number), number});
    return batch;
}

[[noreturn]] void commit_for_ever(
    const std::string& url, std::int64_t first, int acknowledgements
) {
    Result<std::unique_ptr<Store>> store = open(url);
    if (!store) ::_exit(3);
    GroupCommitter committer(**store);
    for (std::int64_t number = first;; ++number)
        committer.submit(numbered(number), [=](Result<void> done) {
            if (!done || ::write(acknowledgements, &number, sizeof number) != sizeof number)
                ::_exit(4);
        });
}

// The last number that was acknowledged before the child was killed; -1 when it never got so far.
std::int64_t run_and_kill(const std::string& url, std::int64_t first, Duration after) {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(pipe[0]);
        commit_for_ever(url, first, pipe[1]);
    }
    ::close(pipe[1]);
    std::int64_t last = -1, number = 0;
    if (::read(pipe[0], &number, sizeof number) == sizeof number) last = number;
    std::thread killer([&] {
        std::this_thread::sleep_for(after);  // the random moment itself, not a wait for a condition
        ::kill(child, SIGKILL);
    });
    while (::read(pipe[0], &number, sizeof number) == sizeof number) last = number;
    killer.join();
    int status = 0;
    ::waitpid(child, &status, 0);
    ::close(pipe[0]);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
    return last;
}

class Kill : public testing::TestWithParam<Engine> {};

TEST_P(Kill, LosesNoAcknowledgedBatchAndDoublesNone) {
    TestDatabases databases;
    const std::string url = databases.fresh_url(GetParam());
    if (url.empty())
        GTEST_SKIP() << "PostgreSQL's server binaries are not installed (postgresql-15)";
    SystemRandom random;
    std::int64_t next = 0, acknowledged = 0;
    for (int round = 0; round < kRounds; ++round) {
        const std::int64_t last = run_and_kill(url, next, Duration(random.below(120'000)));
        ASSERT_GE(last, next);
        acknowledged += last - next + 1;

        Recorder recorder;
        const Result<std::unique_ptr<Store>> store = open(url);
        ASSERT_TRUE(store) << store.error().message;
        ASSERT_TRUE((*store)->load(recorder));
        const auto events = static_cast<std::int64_t>(recorder.events.size());

        ASSERT_EQ(events % kRowsPerBatch, 0) << "a batch is whole";
        const std::int64_t stored = events / kRowsPerBatch;
        ASSERT_GT(stored, last) << "an acknowledged batch is lost";
        for (std::int64_t i = 0; i < events; ++i) {
            ASSERT_EQ(recorder.events[static_cast<std::size_t>(i)].seq, i);
            ASSERT_EQ(
                recorder.events[static_cast<std::size_t>(i)].body, std::to_string(i / kRowsPerBatch)
            );
        }
        ASSERT_EQ(recorder.entities.at(0).version, stored - 1);
        next = stored;
    }
    RecordProperty("acknowledged_batches", std::to_string(acknowledged));
}

std::string engine_name(const testing::TestParamInfo<Engine>& info) {
    return info.param == Engine::sqlite ? "Sqlite" : "Postgresql";
}
INSTANTIATE_TEST_SUITE_P(
    Engines, Kill, testing::Values(Engine::sqlite, Engine::postgresql), engine_name
);

}  // namespace
}  // namespace penstock::storage
