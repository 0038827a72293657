// SPDX-License-Identifier: Apache-2.0
#include "gateway/answer_cache.h"

#include <gtest/gtest.h>

#include "gateway/answer_recorder.h"
#include "gateway/call_cache.h"

namespace penstock::gateway {
namespace {

const Time kNow{std::chrono::hours(1)};

CachedAnswer answer(std::string text, Duration lives = 1h) {
    return {.writes = {std::move(text)}, .kept_at = kNow, .expires_at = kNow + lives};
}

std::string text_of(AnswerCache& cache, std::string_view key, Time now = kNow) {
    const CachedAnswerPtr found = cache.find(sha256(key), now);
    return found ? found->writes.front() : "-";
}

TEST(AnswerCache, FindsWhatWasKeptUntilItsTimeIsOver) {
    AnswerCache cache;
    cache.put(sha256("a"), answer("one", 10min));
    EXPECT_EQ(text_of(cache, "a", kNow + 9min), "one");
    EXPECT_EQ(text_of(cache, "b"), "-");
    EXPECT_EQ(text_of(cache, "a", kNow + 10min), "-");
    EXPECT_EQ(cache.size(), 0U);
    EXPECT_EQ(cache.bytes(), 0U);
}

TEST(AnswerCache, AtTheCapWhatWasUsedLongestAgoGoes) {
    const std::size_t each = answer(std::string(100, 'x')).bytes();
    AnswerCache cache(2 * each);
    cache.put(sha256("a"), answer(std::string(100, 'a')));
    cache.put(sha256("b"), answer(std::string(100, 'b')));
    EXPECT_NE(text_of(cache, "a"), "-");
    cache.put(sha256("c"), answer(std::string(100, 'c')));
    EXPECT_EQ(text_of(cache, "b"), "-");
    EXPECT_NE(text_of(cache, "a"), "-");
    EXPECT_EQ(cache.evicted(), 1U);
    EXPECT_EQ(cache.bytes(), 2 * each);
}

TEST(AnswerCache, ANewAnswerReplacesTheOld) {
    AnswerCache cache;
    cache.put(sha256("a"), answer("one"));
    cache.put(sha256("a"), answer("two"));
    EXPECT_EQ(text_of(cache, "a"), "two");
    EXPECT_EQ(cache.size(), 1U);
    EXPECT_EQ(cache.bytes(), answer("two").bytes());
}

TEST(AnswerCache, WhatIsTooLargeIsNotKeptAndPushesNothingOut) {
    AnswerCache cache;
    cache.put(sha256("a"), answer("one"));
    cache.put(sha256("b"), answer(std::string(AnswerCache::kAnswerBytesMax, 'x')));
    EXPECT_EQ(text_of(cache, "b"), "-");
    EXPECT_EQ(text_of(cache, "a"), "one");
}

TEST(AnswerCache, AReplayOutlivesItsEviction) {
    AnswerCache cache(answer("one").bytes());
    cache.put(sha256("a"), answer("one"));
    const CachedAnswerPtr kept = cache.find(sha256("a"), kNow);
    cache.put(sha256("b"), answer("two"));
    EXPECT_EQ(text_of(cache, "a"), "-");
    EXPECT_EQ(kept->writes.front(), "one");
}

TEST(AnswerCache, OnlyATemperatureOfZeroSaysTheSameAgain) {
    EXPECT_TRUE(says_deterministic(R"({"model":"m","temperature":0})"));
    EXPECT_TRUE(says_deterministic(R"({"temperature": 0.0, "messages":[{"temperature":1}]})"));
    EXPECT_FALSE(says_deterministic(R"({"temperature":0.01})"));
    EXPECT_FALSE(says_deterministic(R"({"temperature":1e0})"));
    EXPECT_FALSE(says_deterministic(R"({"temperature":null})"));
    EXPECT_FALSE(says_deterministic(R"({"temperature":"0"})"));
    EXPECT_FALSE(says_deterministic(R"({"options":{"temperature":0}})"));
    EXPECT_FALSE(says_deterministic(R"({"temperature":0)"));
    EXPECT_FALSE(says_deterministic("[]"));
}

TEST(AnswerRecorder, KeepsWhatFitsBesideTheOthers) {
    AnswerRoom room{.bytes_max = 100};
    std::string kept;
    const auto keep = [&](CachedAnswer answer) { kept += answer.writes.front(); };
    AnswerRecorder first(room, keep);
    first.add(std::string(60, 'a'));
    {
        AnswerRecorder second(room, keep);
        second.add(std::string(30, 'b'));
        second.add(std::string(20, 'b'));
        EXPECT_EQ(second.loss(), AnswerRecorder::Loss::crowded);
        EXPECT_EQ(room.bytes, 60U);
        second.keep({}, kNow);
    }
    first.keep({}, kNow);
    EXPECT_EQ(kept, std::string(60, 'a'));
    AnswerRoom wide;
    AnswerRecorder third(wide, keep);
    third.add(std::string(AnswerCache::kAnswerBytesMax + 1, 'c'));
    EXPECT_EQ(third.loss(), AnswerRecorder::Loss::too_large);
}

}  // namespace
}  // namespace penstock::gateway
