// SPDX-License-Identifier: Apache-2.0
#include "routing/prompt_blocks.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock::routing {
namespace {

TEST(PromptHasher, DoesNotDependOnWhereATextIsCut) {
    std::string text;
    for (int i = 0; i < 3000; ++i) text += std::to_string(i);
    PromptHasher whole(1);
    whole.add(text);
    PromptHasher pieces(1);
    for (std::size_t at = 0; at < text.size(); at += 7)
        pieces.add(std::string_view(text).substr(at, 7));
    const auto expected = std::move(whole).finish();
    EXPECT_EQ(expected.size(), text.size() / kBlockBytes);
    EXPECT_EQ(std::move(pieces).finish(), expected);
}

// Whole words that come one by one must meet the lanes that they meet in one piece.
TEST(PromptHasher, EveryPieceSizeGivesTheSameChain) {
    std::string text;
    for (int i = 0; text.size() < 3 * kBlockBytes + 100; ++i) text += std::to_string(i * 7919);
    PromptHasher whole(5);
    whole.add(text);
    const auto expected = std::move(whole).finish();
    for (std::size_t size = 1; size <= 100; ++size) {
        PromptHasher pieces(5);
        for (std::size_t at = 0; at < text.size(); at += size)
            pieces.add(std::string_view(text).substr(at, size));
        EXPECT_EQ(std::move(pieces).finish(), expected) << "pieces of " << size;
    }
}

// Any word that changes or trades places with another, of its lane or of another one, is seen.
TEST(PromptHasher, EveryWordAndItsPlaceCount) {
    std::string text;
    for (int i = 0; text.size() < kBlockBytes; ++i) text += std::to_string(i * 7919);
    text.resize(kBlockBytes);
    const BlockHash before = chain_block(3, text);
    for (std::size_t at = 0; at + 40 <= text.size(); at += 8) {
        std::string other = text;
        other[at + 3] ^= 1;
        EXPECT_NE(chain_block(3, other), before) << at;
        for (const std::size_t apart : {std::size_t{8}, std::size_t{32}}) {
            if (text.substr(at, 8) == text.substr(at + apart, 8)) continue;
            other = text;
            other.replace(at, 8, text, at + apart, 8).replace(at + apart, 8, text, at, 8);
            EXPECT_NE(chain_block(3, other), before) << at;
        }
    }
}

TEST(PromptHasher, EqualBeginningsHaveEqualBlocksAndNoneAfterADifference) {
    std::string text(4 * kBlockBytes, 'a');
    PromptHasher first(1);
    first.add(text);
    text[2 * kBlockBytes + 5] = 'b';
    PromptHasher second(1);
    second.add(text);
    const auto left = std::move(first).finish();
    const auto right = std::move(second).finish();
    EXPECT_EQ(left[1], right[1]);
    EXPECT_NE(left[2], right[2]);
    EXPECT_NE(left[3], right[3]);
}

TEST(PromptHasher, ABlockIsNamedAsTheChainNamesIt) {
    const std::string text(3 * kBlockBytes, 'x');
    PromptHasher hasher(9);
    hasher.add(text);
    BlockHash last = 9;
    for (const BlockHash block : std::move(hasher).finish()) {
        last = chain_block(last, std::string_view(text).substr(0, kBlockBytes));
        EXPECT_EQ(block, last);
    }
}

TEST(PromptHasher, ASaltTellsEqualPromptsApart) {
    PromptHasher hasher;
    hasher.add(std::string(3 * kBlockBytes, 'x'));
    const auto chain = std::move(hasher).finish();
    ASSERT_EQ(chain.size(), 3U);
    for (std::size_t i = 0; i < chain.size(); ++i) {
        EXPECT_NE(salted(chain, 1)[i], salted(chain, 2)[i]);
        EXPECT_EQ(salted(chain, 1)[i], salted(chain, 1)[i]);
    }
}

}  // namespace
}  // namespace penstock::routing
