// SPDX-License-Identifier: Apache-2.0
#include "gateway/key_cache.h"

#include <gtest/gtest.h>

#include "gateway/api_answer.h"

namespace penstock::gateway {
namespace {

const Time kStart = Time(1'700'000'000s);

TEST(Sha256, MatchesTheStandardsExample) {
    const std::string hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    EXPECT_EQ(to_hex(sha256("abc")), hex);
    EXPECT_EQ(sha256_from_hex(hex), sha256("abc"));
    EXPECT_FALSE(sha256_from_hex("ba78"));
    EXPECT_FALSE(sha256_from_hex(std::string(64, 'g')));
}

TEST(KeyCache, KeepsAKnownKeyForAsLongAsTheServerAllowsButNotLonger) {
    KeyCache cache;
    cache.put_known(sha256("a"), {.cache_for = 1min}, kStart);
    cache.put_known(sha256("b"), {.cache_for = 48h}, kStart);
    EXPECT_EQ(cache.find(sha256("a"))->fresh_until, kStart + 1min);
    EXPECT_EQ(cache.find(sha256("b"))->fresh_until, kStart + KeyCache::kKnownMax);
    EXPECT_EQ(cache.find(sha256("c")), nullptr);
}

TEST(KeyCache, ForgetsWhatARevocationNames) {
    KeyCache cache;
    cache.put_known(sha256("a"), {.cache_for = 1min}, kStart);
    cache.revoke(to_hex(sha256("a")), kStart);
    EXPECT_FALSE(cache.find(sha256("a"))->key);
}

TEST(KeyCache, ForgetsAtItsBoundWhatWasToldLongestAgo) {
    KeyCache cache(100, 10);
    for (int n = 0; n < 110; ++n) {
        const Sha256 digest = sha256(std::to_string(n));
        cache.put_known(digest, {.cache_for = 1min}, kStart);
        ASSERT_TRUE(cache.find(digest)) << "the last one stays, or its caller would be refused";
    }
    EXPECT_EQ(cache.size(), 100U);
    EXPECT_EQ(cache.forgotten(), 10U);
    EXPECT_EQ(cache.find(sha256("9")), nullptr);
    ASSERT_TRUE(cache.find(sha256("10")));
    // Told again, it is the youngest.
    cache.put_known(sha256("10"), {.cache_for = 1min}, kStart);
    cache.put_known(sha256("110"), {.cache_for = 1min}, kStart);
    EXPECT_TRUE(cache.find(sha256("10")));
    EXPECT_EQ(cache.find(sha256("11")), nullptr);
}

TEST(KeyCache, GuessesPushOutNoKnownKey) {
    KeyCache cache(10, 10);
    for (int n = 0; n < 10; ++n)
        cache.put_known(sha256(std::to_string(n)), {.cache_for = 1min}, kStart);
    for (int n = 0; n < 1000; ++n) cache.put_unknown(sha256("guess" + std::to_string(n)), kStart);
    EXPECT_EQ(cache.size(), 20U);
    for (int n = 0; n < 10; ++n) EXPECT_TRUE(cache.find(sha256(std::to_string(n)))->key);
}

TEST(KeyCache, WhatIsKnownAndWhatIsNotIsTheLastWord) {
    KeyCache cache;
    cache.put_unknown(sha256("a"), kStart);
    cache.put_known(sha256("a"), {.cache_for = 1min}, kStart);
    EXPECT_TRUE(cache.find(sha256("a"))->key);
    cache.put_unknown(sha256("a"), kStart);
    EXPECT_FALSE(cache.find(sha256("a"))->key);
    EXPECT_EQ(cache.size(), 1U);
}

TEST(ExactText, ShowsEveryDigitThatCounts) {
    EXPECT_EQ(exact_text(ExactMoney()), "0");
    EXPECT_EQ(exact_text(ExactMoney(1)), "0.000000000000001");
    EXPECT_EQ(exact_text(ExactMoney(__int128{12'600'000} * 1'000'000)), "0.0126");
    EXPECT_EQ(exact_text(ExactMoney(__int128{3'000'000} * ExactMoney::kPerMicro)), "3");
}

}  // namespace
}  // namespace penstock::gateway
