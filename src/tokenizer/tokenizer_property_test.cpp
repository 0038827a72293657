// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "tokenizer/merges.h"

namespace penstock::tokenizer {
namespace {

constexpr int kLetters = 4;

// A vocabulary over bytes in which random pairs merge; its ranks are the order of `pairs`.
struct Sample {
    Merges merges;
    std::vector<std::pair<std::string, std::string>> pairs;

    explicit Sample(const std::vector<std::pair<unsigned, unsigned>>& choices) {
        std::vector<std::string> tokens;
        tokens.reserve(kLetters + choices.size());
        for (int byte = 0; byte < 256; ++byte)
            merges.ids.emplace(std::string(1, static_cast<char>(byte)), byte);
        for (int i = 0; i < kLetters; ++i) tokens.emplace_back(1, static_cast<char>('a' + i));
        for (const auto& [left, right] : choices) {
            const std::string a = tokens[left % tokens.size()];
            const std::string b = tokens[right % tokens.size()];
            if (merges.ids.contains(a + b)) continue;  // one way to make a token
            merges.ids.emplace(a + b, static_cast<TokenId>(merges.ids.size()));
            tokens.push_back(a + b);
            pairs.emplace_back(a, b);
            RC_ASSERT(merges.add(a, b).has_value());
        }
    }
};

// The definition, word for word: again and again the pair of lowest rank, leftmost first.
std::vector<std::string> merged_naively(const Sample& sample, const std::string& text) {
    std::vector<std::string> tokens;
    for (const char c : text) tokens.emplace_back(1, c);
    while (true) {
        std::size_t best_rank = sample.pairs.size();
        std::size_t best_at = 0;
        for (std::size_t at = 0; at + 1 < tokens.size(); ++at)
            for (std::size_t rank = 0; rank < best_rank; ++rank)
                if (sample.pairs[rank] == std::pair(tokens[at], tokens[at + 1])) {
                    best_rank = rank;
                    best_at = at;
                }
        if (best_rank == sample.pairs.size()) return tokens;
        tokens[best_at] += tokens[best_at + 1];
        tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
    }
}

RC_GTEST_PROP(Merges, EqualTheirDefinition, ()) {
    using Choices = std::vector<std::pair<unsigned, unsigned>>;
    const Sample sample(*rc::gen::arbitrary<Choices>());
    const std::string text =
        *rc::gen::container<std::string>(rc::gen::inRange('a', static_cast<char>('a' + kLetters)));

    std::vector<TokenId> ids;
    sample.merges.encode(text, ids);

    std::vector<TokenId> expected;
    for (const std::string& token : merged_naively(sample, text))
        expected.push_back(sample.merges.ids.find(token)->second);
    RC_ASSERT(ids == expected);
}

}  // namespace
}  // namespace penstock::tokenizer
