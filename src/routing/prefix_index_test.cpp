// SPDX-License-Identifier: Apache-2.0
#include "routing/prefix_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);

std::vector<BlockHash> chain(std::initializer_list<std::uint64_t> contents, BlockHash salt = 1) {
    std::vector<BlockHash> out;
    for (const std::uint64_t content : contents) {
        salt = chain_block(salt, content);
        out.push_back(salt);
    }
    return out;
}

std::string matches(const PrefixIndex& index, std::span<const BlockHash> prompt, Time now) {
    std::map<PrefixIndex::Backend, std::size_t> sorted;
    for (const auto& match : index.match(prompt, now)) sorted[match.backend] = match.blocks;
    std::string out;
    for (const auto& [backend, blocks] : sorted)
        out += std::to_string(backend) + ":" + std::to_string(blocks) + " ";
    return out;
}

TEST(PrefixIndex, CountsLeadingBlocksOfEachBackend) {
    PrefixIndex index;
    index.sent(1, chain({1, 2, 3, 4}), kStart);
    index.sent(2, chain({1, 2, 9}), kStart);
    EXPECT_EQ(matches(index, chain({1, 2, 3, 5}), kStart), "1:3 2:2 ");
    EXPECT_EQ(matches(index, chain({2, 3}), kStart), "");
    EXPECT_EQ(matches(index, {}, kStart), "");
}

TEST(PrefixIndex, KeepsTenantsApart) {
    PrefixIndex index;
    index.sent(1, chain({1, 2}, salt_of("tenant a", "m")), kStart);
    EXPECT_EQ(matches(index, chain({1, 2}, salt_of("tenant b", "m")), kStart), "");
    EXPECT_EQ(matches(index, chain({1, 2}, salt_of("tenant a", "n")), kStart), "");
    EXPECT_EQ(matches(index, chain({1, 2}, salt_of("tenant a", "m")), kStart), "1:2 ");
}

TEST(PrefixIndex, ABlockThatEverybodyHoldsKeepsTheLatestHolders) {
    PrefixIndex index;
    index.stored(500, chain({1}).front(), kStart);
    for (PrefixIndex::Backend backend = 0; backend < 100; ++backend)
        index.sent(backend, chain({1}), kStart + backend * 1ms);
    const std::vector<PrefixIndex::Match> held = index.match(chain({1}), kStart + 1s);
    EXPECT_EQ(held.size(), PrefixIndex::kHoldersMax);
    EXPECT_EQ(std::ranges::count(held, 99U, &PrefixIndex::Match::backend), 1);
    EXPECT_EQ(std::ranges::count(held, 500U, &PrefixIndex::Match::backend), 1);
    EXPECT_EQ(std::ranges::count(held, 0U, &PrefixIndex::Match::backend), 0);
}

TEST(PrefixIndex, AGuessAgesOut) {
    PrefixIndex index;
    index.sent(1, chain({1, 2}), kStart);
    index.sent(2, chain({1}), kStart + 100s);
    EXPECT_EQ(matches(index, chain({1, 2}), kStart + 121s), "2:1 ");
    index.sent(3, chain({7}), kStart + 400s);
    EXPECT_EQ(index.blocks(), 1U);
}

TEST(PrefixIndex, DropsTheLeastRecentlyUsedAtItsCap) {
    constexpr std::size_t kCap = 4096;
    PrefixIndex index(kCap);
    for (std::uint64_t i = 0; i < 1000; ++i) index.sent(1, chain({i, i + 1}), kStart);
    EXPECT_LE(index.bytes(), kCap);
    EXPECT_GT(index.evictions(), 0);
    EXPECT_EQ(matches(index, chain({999, 1000}), kStart), "1:2 ");
    EXPECT_EQ(matches(index, chain({0, 1}), kStart), "");
}

TEST(PrefixIndex, OfOnePromptTheEndGoesFirst) {
    PrefixIndex index(2000);
    std::vector<BlockHash> longest;
    for (std::uint64_t i = 0; i < 100; ++i) longest.push_back(chain_block(i, i));
    index.sent(1, longest, kStart);
    const auto found = index.match(longest, kStart);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].blocks, index.blocks());
}

TEST(PrefixIndex, WhatAnEngineReportsReplacesGuesses) {
    PrefixIndex index;
    const auto prompt = chain({1, 2, 3});
    index.stored(1, prompt[0], kStart);
    index.stored(1, prompt[1], kStart);
    index.sent(1, prompt, kStart);
    EXPECT_EQ(matches(index, prompt, kStart + 1h), "1:2 ");
    index.removed(1, prompt[1]);
    EXPECT_EQ(matches(index, prompt, kStart + 1h), "1:1 ");
}

}  // namespace
}  // namespace penstock::routing
