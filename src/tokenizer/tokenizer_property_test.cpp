// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <climits>
#include <map>

#include "tokenizer/merges.h"
#include "tokenizer/scored_merges.h"
#include "tokenizer/unigram.h"
#include "tokenizer/words.h"

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

using Words = std::vector<std::string>;

std::string any_text(int length_max) {
    return *rc::gen::resize(
        length_max,
        rc::gen::container<std::string>(rc::gen::inRange('a', static_cast<char>('a' + kLetters)))
    );
}

// Texts of one to four letters, some of them twice.
Words any_words() {
    return *rc::gen::container<Words>(rc::gen::exec([] {
        const int length = *rc::gen::inRange(1, 5);
        std::string word;
        for (int i = 0; i < length; ++i)
            word += *rc::gen::inRange('a', static_cast<char>('a' + kLetters));
        return word;
    }));
}

RC_GTEST_PROP(PrefixIndex, FindsWhatATextBeginsWithShortestFirst, ()) {
    const Words words = any_words();
    const std::string text = any_text(12);
    PrefixIndex index;
    for (std::size_t i = 0; i < words.size(); ++i) index.add(words[i], static_cast<TokenId>(i));
    index.sort();

    std::vector<std::pair<std::size_t, TokenId>> found;
    index.each(text, [&](const PrefixIndex::Match& match) {
        found.emplace_back(match.length, match.id);
    });

    std::map<std::size_t, TokenId> expected;  // of the same text the last
    for (std::size_t i = 0; i < words.size(); ++i)
        if (text.starts_with(words[i])) expected[words[i].size()] = static_cast<TokenId>(i);
    RC_ASSERT(
        found == (std::vector<std::pair<std::size_t, TokenId>>(expected.begin(), expected.end()))
    );
}

// The largest sum that any way to cut `text` into tokens and unknown letters has.
int best_sum(const std::map<std::string, int>& scores, int unknown, const std::string& text) {
    if (text.empty()) return 0;
    int best = INT_MIN;
    for (std::size_t length = 1; length <= text.size(); ++length) {
        const auto found = scores.find(text.substr(0, length));
        if (found == scores.end() && length > 1) continue;
        const int score = found == scores.end() ? unknown : found->second;
        best = std::max(best, score + best_sum(scores, unknown, text.substr(length)));
    }
    return best;
}

RC_GTEST_PROP(Unigram, TakesAWayWithTheLargestSumOfScores, ()) {
    const Words words = any_words();
    const std::string text = any_text(10);
    constexpr int kUnknownScore =
        -100;  // below all sums, so that no way with fewer of them is worse
    std::map<std::string, int> scores;
    Unigram unigram;
    unigram.scores.push_back(kUnknownScore);
    unigram.unknown_score = kUnknownScore;
    Words texts{""};
    for (const std::string& word : words) {
        if (scores.contains(word)) continue;
        const int score = *rc::gen::inRange(-9, 0);
        scores[word] = score;
        unigram.tokens.add(word, static_cast<TokenId>(unigram.scores.size()));
        unigram.scores.push_back(score);
        texts.push_back(word);
    }
    unigram.tokens.sort();

    std::vector<TokenId> ids;
    unigram.encode(text, ids);

    // What the tokens stand for, a run of unknown letters being one: the letters that no token of
    // the answer covers.
    int sum = 0;
    std::size_t covered = 0;
    for (const TokenId id : ids)
        if (id != unigram.unknown) {
            sum += scores.at(texts[id]);
            covered += texts[id].size();
        }
    RC_ASSERT(covered <= text.size());
    sum += kUnknownScore * static_cast<int>(text.size() - covered);
    RC_ASSERT(sum == best_sum(scores, kUnknownScore, text));
}

RC_GTEST_PROP(ScoredMerges, EqualTheirDefinition, ()) {
    const Words words = any_words();
    const std::string text = any_text(20);
    ScoredMerges merges;
    Words texts;
    const auto add = [&](const std::string& token, float score) {
        if (!merges.ids.emplace(token, static_cast<TokenId>(texts.size())).second) return;
        texts.push_back(token);
        merges.scores.push_back(score);
        merges.token_bytes_max = std::max(merges.token_bytes_max, token.size());
    };
    for (int i = 0; i < kLetters; ++i) add(std::string(1, static_cast<char>('a' + i)), 0);
    for (const std::string& word : words) add(word, static_cast<float>(*rc::gen::inRange(-5, 0)));

    std::vector<TokenId> ids;
    merges.encode(text, ids);

    // Again and again the neighbours with the highest score, leftmost first.
    Words expected;
    for (const char c : text) expected.emplace_back(1, c);
    while (true) {
        std::size_t best = expected.size();
        float best_score = 0;
        for (std::size_t at = 0; at + 1 < expected.size(); ++at) {
            const auto found = merges.ids.find(expected[at] + expected[at + 1]);
            if (found == merges.ids.end()) continue;
            const float score = merges.scores[found->second];
            if (best == expected.size() || score > best_score) {
                best = at;
                best_score = score;
            }
        }
        if (best == expected.size()) break;
        expected[best] += expected[best + 1];
        expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    Words made;
    for (const TokenId id : ids) made.push_back(texts[id]);
    RC_ASSERT(made == expected);
}

RC_GTEST_PROP(WordPiece, PartsAreTheWordOrItIsUnknown, ()) {
    const Words words = any_words();
    const std::string text = any_text(12);
    WordPiece pieces;
    Words texts{""};
    for (const std::string& word : words) {
        pieces.first.add(word, static_cast<TokenId>(texts.size()));
        pieces.later.add(word, static_cast<TokenId>(texts.size()));
        texts.push_back(word);
    }
    pieces.first.sort();
    pieces.later.sort();

    std::vector<TokenId> ids;
    pieces.encode(text, ids);

    std::string joined;
    for (const TokenId id : ids) joined += texts[id];
    const bool unknown = ids == std::vector<TokenId>{pieces.unknown};
    RC_ASSERT(unknown || joined == text);
    // Each is the longest that could stand there.
    std::string_view rest = text;
    for (std::size_t i = 0; !unknown && i < ids.size(); ++i) {
        for (const std::string& word : words)
            RC_ASSERT(!rest.starts_with(word) || word.size() <= texts[ids[i]].size());
        rest.remove_prefix(texts[ids[i]].size());
    }
}

}  // namespace
}  // namespace penstock::tokenizer
