// SPDX-License-Identifier: Apache-2.0
#include "gateway/idempotency_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

namespace penstock::gateway {
namespace {

namespace fs = std::filesystem;
using Ruling = IdempotencyTable::Ruling;
const Time kStart{std::chrono::hours(1'000'000)};

struct Folder {
    Folder() {
        std::string name = (fs::temp_directory_path() / "idempotency-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path); }
    fs::path path;
};

struct Opened {
    explicit Opened(
        const fs::path& path, std::string owner = "spool", std::uint64_t bytes_max = 0
    ) {
        IdempotencyLog::Options options{.directory = path, .owner = std::move(owner)};
        if (bytes_max > 0) {
            options.bytes_max = bytes_max;
            options.segment_bytes = bytes_max / 8;
        }
        auto opened = IdempotencyLog::open({}, std::move(options), kStart);
        EXPECT_TRUE(opened) << to_string(opened.error());
        log = *std::move(opened);
    }
    static IdempotencyLog::Use use(int n, std::string_view request = "request") {
        return {
            sha256("key " + std::to_string(n)), sha256(request),
            RequestId(RawId{1, static_cast<std::uint64_t>(n)})
        };
    }
    Ruling begin(int n, std::string_view request = "request", Time now = kStart) {
        const auto judged = log->begin(use(n, request), now);
        EXPECT_TRUE(judged) << to_string(judged.error());
        return judged->ruling;
    }
    void answer(int n, std::string body) {
        const KeptAnswer answer{.headers = {{"a", "b"}}, .body = std::move(body)};
        log->end(use(n), {.charge = ExactMoney(5), .answer = &answer}, kStart);
    }
    // "": another ruling than that it has ended, or no answer.
    std::string answer_of(int n) {
        const auto judged = log->begin(use(n), kStart);
        if (!judged || judged->ruling != Ruling::ended) return "";
        const Result<KeptAnswer> kept = log->read(judged->entry.place);
        return kept ? kept->body : "";
    }
    std::optional<KeptEnd> end_of(int n) {
        const auto judged = log->begin(use(n), kStart);
        return judged ? judged->entry.end : std::nullopt;
    }
    std::unique_ptr<IdempotencyLog> log;
};

CallRecord settled(int n, std::int64_t output, EndReason reason = EndReason::client_gone) {
    CallRecord call;
    call.id = Opened::use(n).call_id;
    call.price_input = *parse_price("1");
    call.price_output = *parse_price("2");
    call.tokens = {.input_fresh = 0, .output_visible = output};
    call.end_reason = reason;
    return call;
}

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

TEST(IdempotencyLog, SurvivesKillWithEverythingThatWasSaid) {
    Folder folder;
    killed([&] {
        Opened f(folder.path);
        f.begin(1);
        f.answer(1, "the answer");
        f.begin(2);
        f.begin(3);
        f.log->free(Opened::use(3), kStart);
        ::kill(::getpid(), SIGKILL);
    });
    Opened f(folder.path);
    EXPECT_EQ(f.begin(1, "other"), Ruling::other_request);
    EXPECT_EQ(f.answer_of(1), "the answer");
    EXPECT_EQ(f.begin(2), Ruling::runs);
    EXPECT_EQ(f.begin(3), Ruling::begins);
}

TEST(IdempotencyLog, ATornTailIsCutAndWritingGoesOnBehindWhatIsWhole) {
    Folder folder;
    const fs::path segment = folder.path / "0000000001.idem";
    {
        Opened f(folder.path);
        f.begin(1);
        f.answer(1, "the answer");
        f.begin(2);
    }
    fs::resize_file(segment, fs::file_size(segment) - 3);
    {
        Opened f(folder.path);
        EXPECT_EQ(f.answer_of(1), "the answer");
        EXPECT_EQ(f.begin(2), Ruling::begins);
    }
    Opened f(folder.path);
    EXPECT_EQ(f.begin(2), Ruling::runs);
}

TEST(IdempotencyLog, TwoProcessesOfOneGatewayBeginAKeyOnce) {
    Folder folder;
    Opened older(folder.path, "spool");
    Opened newer(folder.path, "spool-2");
    EXPECT_EQ(older.begin(1), Ruling::begins);
    EXPECT_EQ(newer.begin(1), Ruling::runs);
    EXPECT_EQ(newer.begin(2), Ruling::begins);
    EXPECT_EQ(older.begin(2), Ruling::runs);
    older.answer(1, "of the older");
    EXPECT_EQ(newer.answer_of(1), "of the older");
    newer.log->free(Opened::use(2), kStart);
    EXPECT_EQ(older.begin(2), Ruling::begins);
}

TEST(IdempotencyLog, AProcessFindsItsWayBehindSegmentsThatTheOtherRemoved) {
    Folder folder;
    constexpr std::uint64_t kBytes = 40'000;
    Opened older(folder.path, "spool", kBytes);
    Opened newer(folder.path, "spool-2", kBytes);
    EXPECT_EQ(older.begin(0), Ruling::begins);
    for (int n = 1; n <= 100; ++n) {
        newer.begin(n);
        newer.answer(n, std::string(1000, 'x'));
    }
    EXPECT_FALSE(fs::exists(folder.path / "0000000001.idem"));
    EXPECT_EQ(older.begin(100), Ruling::ended);
    EXPECT_EQ(older.begin(101), Ruling::begins);
    EXPECT_EQ(newer.begin(101), Ruling::runs);
    EXPECT_EQ(newer.begin(0), Ruling::runs);
    EXPECT_EQ(Opened(folder.path, "third", kBytes).begin(101), Ruling::runs);
}

TEST(IdempotencyLog, AtItsLimitAnswersGoAndKeysStay) {
    Folder folder;
    constexpr std::uint64_t kBytes = 40'000;
    Opened f(folder.path, "spool", kBytes);
    for (int n = 1; n <= 100; ++n) {
        ASSERT_EQ(f.begin(n), Ruling::begins);
        f.answer(n, std::string(1000, 'x'));
        ASSERT_LE(f.log->bytes(), kBytes);
    }
    EXPECT_EQ(f.end_of(1), KeptEnd::evicted);
    EXPECT_EQ(f.answer_of(100), std::string(1000, 'x'));
    EXPECT_GT(f.log->answers_evicted(), 60U);
    EXPECT_EQ(f.log->keys(), 100U);
    Opened again(folder.path, "spool", kBytes);
    EXPECT_EQ(again.log->keys(), 100U);
    EXPECT_EQ(again.log->bytes(), f.log->bytes());
}

TEST(IdempotencyLog, WhereOnlyKeysAreLeftNewOnesAreRefused) {
    Folder folder;
    Opened f(folder.path, "spool", 8'000);
    int begun = 0;
    while (f.begin(begun) == Ruling::begins && begun < 1000) ++begun;
    EXPECT_LT(begun, 40);
    EXPECT_GT(begun, 10);
    for (int n = 0; n < begun; ++n) f.log->end(Opened::use(n), {.end = KeptEnd::cut}, kStart);
    EXPECT_LE(f.log->bytes(), 8'000U);
    EXPECT_EQ(Opened(folder.path, "spool", 8'000).log->keys(), static_cast<std::size_t>(begun));
}

TEST(IdempotencyLog, AnAnswerOverItsLimitIsNotKeptAndSaysSo) {
    Folder folder;
    Opened f(folder.path);
    f.begin(1);
    f.answer(1, std::string(IdempotencyLog::kAnswerBytesMax + 1, 'x'));
    f.begin(2);
    f.answer(2, std::string(IdempotencyLog::kAnswerBytesMax, 'x'));
    EXPECT_EQ(f.end_of(1), KeptEnd::too_large);
    EXPECT_EQ(f.answer_of(2).size(), IdempotencyLog::kAnswerBytesMax);
    const auto place = f.log->begin(Opened::use(2), kStart)->entry.place;
    EXPECT_EQ(f.log->read(place)->body, f.log->read_now(place).value_or(*f.log->read(place)).body);
}

TEST(IdempotencyLog, WhatAProcessLeftBegunIsFreeUnlessItsSpoolHasACharge) {
    Folder folder;
    {
        Opened f(folder.path, "spool");
        for (int n = 1; n <= 4; ++n) f.begin(n);
        f.answer(4, "told to nobody");
    }
    Opened f(folder.path, "spool-2");
    f.begin(5);
    IdempotencyLog::Findings findings(*f.log);
    findings.add(settled(1, 7));
    findings.add(settled(2, 0));
    findings.add(settled(4, 0, EndReason::gateway_crash));
    findings.add(settled(99, 7));

    f.log->resolve("spool", findings, kStart);

    EXPECT_EQ(f.end_of(1), KeptEnd::crashed);
    EXPECT_EQ(f.begin(2), Ruling::begins);
    EXPECT_EQ(f.begin(3), Ruling::begins);
    EXPECT_EQ(f.begin(4), Ruling::begins);
    EXPECT_EQ(f.begin(5), Ruling::runs);
    Opened again(folder.path, "third");
    EXPECT_EQ(again.end_of(1), KeptEnd::crashed);
    EXPECT_EQ(again.log->begin(Opened::use(1), kStart)->entry.charge, ExactMoney(14'000'000'000));
}

TEST(IdempotencyLog, WhatTheOtherProcessWroteLastCountsWhenItHasEnded) {
    Folder folder;
    Opened newer(folder.path, "spool-2");
    {
        Opened older(folder.path, "spool");
        older.begin(1);
    }
    IdempotencyLog::Findings findings(*newer.log);
    findings.add(settled(1, 7));
    newer.log->resolve("spool", findings, kStart);
    EXPECT_EQ(newer.end_of(1), KeptEnd::crashed);
}

// As a full disk would have it; for as long as it lives.
struct FilesNoLargerThan {
    explicit FilesNoLargerThan(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before);
        before_signal = std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{bytes, before.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FilesNoLargerThan() {
        ::setrlimit(RLIMIT_FSIZE, &before);
        std::signal(SIGXFSZ, before_signal);
    }
    rlimit before{};
    void (*before_signal)(int) = nullptr;
};

TEST(IdempotencyLog, WhatTheDiskDoesNotTakeIsKnownHereAndWrittenLater) {
    Folder folder;
    Opened f(folder.path);
    f.begin(1);
    f.begin(2);
    {
        const FilesNoLargerThan full(f.log->bytes() + 20);
        f.answer(1, "the answer");
        f.log->free(Opened::use(2), kStart);
        const auto refused = f.log->begin(Opened::use(3), kStart);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    }
    EXPECT_EQ(Opened(folder.path, "other").begin(1), Ruling::runs);
    f.log->tidy(kStart);
    EXPECT_EQ(f.end_of(1), KeptEnd::unwritten);
    Opened again(folder.path, "other");
    EXPECT_EQ(again.end_of(1), KeptEnd::unwritten);
    EXPECT_EQ(again.begin(2), Ruling::begins);
    EXPECT_EQ(again.begin(3), Ruling::begins);
}

TEST(IdempotencyLog, AnswersThatAreOverAreOffTheDiskThoughNobodyCalls) {
    Folder folder;
    Opened f(folder.path);
    f.begin(1);
    f.answer(1, "the answer");
    f.log->tidy(kStart + IdempotencyTable::kKeptFor - 1us);
    EXPECT_GT(f.log->bytes(), 0U);
    f.log->tidy(kStart + IdempotencyTable::kKeptFor);
    EXPECT_EQ(f.log->bytes(), 0U);
    EXPECT_EQ(f.log->keys(), 0U);
    EXPECT_FALSE(fs::exists(folder.path / "0000000001.idem"));
}

TEST(IdempotencyLog, ASegmentIsEndedByItsAge) {
    Folder folder;
    Opened f(folder.path);
    f.begin(1);
    f.begin(2, "request", kStart + 59min);
    EXPECT_FALSE(fs::exists(folder.path / "0000000002.idem"));
    f.begin(3, "request", kStart + 60min);
    EXPECT_TRUE(fs::exists(folder.path / "0000000002.idem"));
    EXPECT_EQ(Opened(folder.path, "other").begin(1), Ruling::runs);
}

TEST(IdempotencyLog, SegmentsWhoseKeysAreOverGo) {
    Folder folder;
    Opened f(folder.path, "spool", 80'000);
    for (int n = 0; n < 30; ++n) {
        f.begin(n);
        f.answer(n, std::string(1000, 'x'));
    }
    const std::uint64_t before = f.log->bytes();
    EXPECT_EQ(f.begin(100, "request", kStart + IdempotencyTable::kKeptFor), Ruling::begins);
    EXPECT_LT(f.log->bytes(), before / 2);
    EXPECT_EQ(f.log->answers_evicted(), 0U);
}

}  // namespace
}  // namespace penstock::gateway
