// SPDX-License-Identifier: Apache-2.0
#include "gateway/spool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>

#include "io/runtime.h"
#include "io/stream.h"
#include "io/task_group.h"
#include "json/json.h"

namespace penstock::gateway {
namespace {

namespace fs = std::filesystem;
const Time kStart = Time(1'700'000'000s);

CallRecord call(std::uint64_t n) {
    CallRecord made;
    made.id = RequestId(RawId{1, n});
    made.model = "m" + std::to_string(n);
    made.started_at = kStart;
    made.ended_at = kStart + 1s;
    made.tokens = {.input_fresh = 5, .output_visible = 7};
    return made;
}

struct Folder {
    fs::path path;
    Folder() {
        std::string pattern = (fs::temp_directory_path() / "penstock-spool-XXXXXX").string();
        path = ::mkdtemp(pattern.data());
    }
    ~Folder() { fs::remove_all(path); }
};

struct Opened {
    io::Runtime runtime;
    io::Pool pool{1};
    std::unique_ptr<Spool> spool;
    io::TaskGroup tasks{runtime.executor(), "spool test"};
    explicit Opened(
        const fs::path& path, std::uint64_t bytes_max = 1'000'000'000,
        std::uint64_t segment_bytes = Spool::kSegmentBytes
    ) {
        auto opened = Spool::open(
            runtime.executor(), pool, {},
            {.directory = path, .bytes_max = bytes_max, .segment_bytes = segment_bytes},
            kStart + 60s
        );
        EXPECT_TRUE(opened) << to_string(opened.error());
        spool = *std::move(opened);
        tasks.spawn(spool->commit_forever());
    }
    ~Opened() { runtime.block_on(tasks.close()); }

    void settle(std::uint64_t n) { spool->append_settled(call(n)); }
    void flush() { EXPECT_TRUE(runtime.block_on(spool->flush(io::Deadline::after(5s)))); }
    // All records in order, as "1 2 3", acknowledged in batches of `batch`.
    std::string take_all(std::size_t batch = 500) {
        flush();
        std::string out;
        while (true) {
            const auto taken = runtime.block_on(spool->next_batch(batch));
            EXPECT_TRUE(taken);
            if ((*taken)->records.empty()) return out;
            for (const std::string_view text : (*taken)->records) {
                const CallRecord record = *json::parse<CallRecord>(text);
                out += (out.empty() ? "" : " ") + std::to_string(record.id.raw().low) +
                       (record.end_reason == EndReason::gateway_crash ? "!" : "");
            }
            spool->acknowledge(**taken);
        }
    }
};

// Runs `child` in a process that ends by SIGKILL.
template <class Child>
void killed(Child child) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        child();
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status));
}

TEST(Spool, GivesBackSettledRecordsInOrderOnce) {
    Folder folder;
    Opened f(folder.path);
    f.spool->append_opened(call(1));
    f.settle(1);
    f.settle(2);
    f.settle(3);
    EXPECT_EQ(f.take_all(2), "1 2 3");
    EXPECT_EQ(f.take_all(), "");
    EXPECT_FALSE(f.spool->has_unsettled());
}

struct Sent {
    std::uintmax_t before = 0;
    std::uintmax_t after = 0;
};

// How large the first segment is before and after a stream of the same loop sent a byte, in the
// turn of an append.
io::Task<Sent> append_and_send(Spool* spool, io::Executor executor, fs::path segment) {
    io::Listener listener = *io::Listener::bind(executor, {});
    auto stream = co_await io::connect_tcp(
        executor, "127.0.0.1", listener.local_port(), io::Deadline::after(5s)
    );
    spool->append_opened(call(1));
    Sent sent{.before = fs::file_size(segment)};
    std::array<std::string_view, 1> parts{"x"};
    std::span<std::string_view> rest = parts;
    EXPECT_TRUE(stream->write_now(rest));
    sent.after = fs::file_size(segment);
    co_return sent;
}

TEST(Spool, IsWrittenBeforeAnythingIsSent) {
    Folder folder;
    Opened f(folder.path);

    const Sent sent = f.runtime.block_on(
        append_and_send(f.spool.get(), f.runtime.executor(), folder.path / "0000000001.spool")
    );

    EXPECT_EQ(sent.before, 0U);
    EXPECT_EQ(sent.after, f.spool->bytes());
    EXPECT_GT(sent.after, 0U);
}

TEST(Spool, GivesARecordOnlyWhenItIsDurable) {
    Folder folder;
    Opened f(folder.path);
    f.settle(1);
    EXPECT_TRUE(f.spool->has_unsettled());
    EXPECT_FALSE(f.spool->has_records());
    EXPECT_TRUE((*f.runtime.block_on(f.spool->next_batch(1)))->records.empty());
    f.flush();
    EXPECT_EQ(f.take_all(), "1");
    EXPECT_FALSE(f.spool->has_unsettled());
}

// What is appended after an fsync waits for the next one.
TEST(Spool, AnFsyncIsSharedByWhatIsAppendedInAnInterval) {
    Folder folder;
    Opened f(folder.path);
    const auto begun = std::chrono::steady_clock::now();
    f.settle(1);
    f.flush();
    f.settle(2);
    f.flush();
    EXPECT_GE(std::chrono::steady_clock::now() - begun, Spool::kCommitInterval);
    EXPECT_EQ(f.take_all(), "1 2");
}

TEST(Spool, SurvivesKillWithWhatWasAppendedAndTellsWhichCallsWereCut) {
    Folder folder;
    killed([&] {
        io::Runtime runtime;
        io::Pool pool(1);
        auto spool = *Spool::open(
            runtime.executor(), pool, {}, {.directory = folder.path, .bytes_max = 1'000'000}, kStart
        );
        spool->append_opened(call(1));
        spool->append_opened(call(2));
        spool->append_settled(call(1));
        runtime.block_on(io::yield_now());  // the turn ends
        ::kill(::getpid(), SIGKILL);
    });
    Opened f(folder.path);
    EXPECT_EQ(f.spool->recovered(), 1U);
    EXPECT_FALSE(f.spool->backlog_done());
    EXPECT_EQ(f.take_all(), "1 2!");
    EXPECT_TRUE(f.spool->backlog_done());
}

TEST(Spool, RecordsACrashedCallWithNoTokens) {
    Folder folder;
    killed([&] {
        io::Runtime runtime;
        io::Pool pool(1);
        auto spool = *Spool::open(
            runtime.executor(), pool, {}, {.directory = folder.path, .bytes_max = 1'000'000}, kStart
        );
        spool->append_opened(call(1));
        runtime.block_on(io::yield_now());  // the turn ends
        ::kill(::getpid(), SIGKILL);
    });
    Opened f(folder.path);
    f.flush();
    const auto batch = f.runtime.block_on(f.spool->next_batch(10));
    ASSERT_TRUE(batch && (*batch)->records.size() == 1);
    const CallRecord record = *json::parse<CallRecord>((*batch)->records[0]);
    EXPECT_EQ(record.tokens.input_fresh, 0);
    EXPECT_EQ(record.tokens.output_visible, 0);
    EXPECT_EQ(record.ended_at, kStart + 60s);
}

TEST(Spool, DropsATornTail) {
    Folder folder;
    {
        Opened f(folder.path);
        f.settle(1);
        f.settle(2);
        f.flush();
    }
    const fs::path segment = folder.path / "0000000001.spool";
    fs::resize_file(segment, fs::file_size(segment) - 3);
    Opened f(folder.path);
    EXPECT_EQ(f.take_all(), "1");
}

TEST(Spool, ReadsOnInTheNextSegmentBehindADamagedOne) {
    Folder folder;
    {
        Opened f(folder.path);
        f.settle(1);
        f.settle(2);
        f.flush();
    }
    {
        Opened f(folder.path);
        f.settle(3);
        f.flush();
    }
    {
        std::fstream file(
            folder.path / "0000000001.spool", std::ios::in | std::ios::out | std::ios::binary
        );
        file.seekp(static_cast<std::streamoff>(fs::file_size(folder.path / "0000000001.spool") - 5)
        );
        file.put('#');
    }
    Opened f(folder.path);
    EXPECT_EQ(f.take_all(), "1 3");
    EXPECT_TRUE(fs::exists(folder.path / "0000000001.damaged"));
}

TEST(Spool, ForgetsSegmentsThatAreAcknowledged) {
    Folder folder;
    constexpr std::uint64_t kSegment = 2000;  // about four records
    Opened f(folder.path, 1'000'000, kSegment);
    std::string expected;
    for (std::uint64_t n = 1; n <= 40; ++n) {
        f.settle(n);
        f.flush();
        expected += (n == 1 ? "" : " ") + std::to_string(n);
    }
    const auto files = [&] {
        return std::distance(fs::directory_iterator(folder.path), fs::directory_iterator());
    };
    EXPECT_GT(files(), 8);
    EXPECT_EQ(f.take_all(7), expected);
    EXPECT_EQ(files(), 2);  // the active segment and the lock
    EXPECT_LT(f.spool->bytes(), 2 * kSegment);
}

TEST(Spool, HasNoRoomOverItsLimit) {
    Folder folder;
    Opened f(folder.path, 500);
    EXPECT_TRUE(f.spool->has_room());
    f.settle(1);
    f.settle(2);
    EXPECT_FALSE(f.spool->has_room());
}

TEST(Spool, BelongsToOneProcess) {
    Folder folder;
    Opened f(folder.path);
    const auto second = Spool::open(
        f.runtime.executor(), f.pool, {}, {.directory = folder.path, .bytes_max = 1}, kStart
    );
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::conflict);
}

TEST(Spool, LeavesNothingBehindWhenAllIsSettled) {
    Folder folder;
    {
        Opened f(folder.path);
        f.settle(1);
        f.take_all();
        f.spool->close();
    }
    EXPECT_FALSE(fs::exists(folder.path / "0000000001.spool"));
}

}  // namespace
}  // namespace penstock::gateway
