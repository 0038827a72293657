// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <span>

#include "tokenizer/gguf_file.h"
#include "tokenizer/gguf_pieces.h"
#include "tokenizer/llama_steps.h"
#include "tokenizer/pipeline.h"

// The tokenizers inside a GGUF, as llama.cpp runs them.
namespace penstock::tokenizer {
namespace {

constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kScores = "tokenizer.ggml.scores";

std::unexpected<Error> wrong(std::string field, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
}

Result<void> check(const GgufVocabulary& vocabulary) {
    if (vocabulary.tokens.empty()) return wrong(kTokens, "is missing");
    if (!vocabulary.types.empty() && vocabulary.types.size() != vocabulary.tokens.size())
        return wrong("tokenizer.ggml.token_type", std::string("is not as long as ") + kTokens);
    return {};
}

Result<void> check_scores(const GgufVocabulary& vocabulary) {
    if (vocabulary.scores.size() != vocabulary.tokens.size())
        return wrong(kScores, std::string("is not as long as ") + kTokens);
    if (!std::ranges::all_of(vocabulary.scores, [](float score) { return std::isfinite(score); }))
        return wrong(kScores, "has a score that is not a number");
    return {};
}

Result<void> check_lengths(const GgufVocabulary& vocabulary) {
    for (const std::string_view token : vocabulary.tokens)
        if (token.size() > kTokenBytesMax)
            return wrong(
                kTokens, "has a token of " + std::to_string(token.size()) + " bytes; at most " +
                             std::to_string(kTokenBytesMax) + " are read"
            );
    return {};
}

// Those that are found in a text before anything else.
Result<void> add_added(const GgufVocabulary& vocabulary, bool unknown_too, Pipeline& pipeline) {
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
        const std::int32_t type = vocabulary.type_of(i);
        const bool special = type == kControlToken || (unknown_too && type == kUnknownToken);
        if (!special && type != kUserDefinedToken) continue;
        if (vocabulary.tokens[i].empty()) return wrong(kTokens, "an added token is empty");
        if (!valid_utf8(vocabulary.tokens[i])) return wrong(kTokens, "an added token is not UTF-8");
        pipeline.added.push_back(
            {.text = std::string(vocabulary.tokens[i]),
             .id = static_cast<TokenId>(i),
             .special = special}
        );
    }
    return {};
}

Result<TokenId> unknown_of(const GgufVocabulary& vocabulary, TokenId otherwise) {
    const TokenId unknown = vocabulary.unknown.value_or(otherwise);
    if (unknown < vocabulary.tokens.size()) return unknown;
    return wrong("tokenizer.ggml.unknown_token_id", "is not the number of a token");
}

Result<void> add_merges(const GgufVocabulary& vocabulary, Merges& merges) {
    const std::string field = "tokenizer.ggml.merges";
    if (vocabulary.merges.empty()) return wrong(field, "is missing");
    for (const std::string_view entry : vocabulary.merges) {
        const std::size_t space = entry.find(' ', 1);
        if (space == std::string_view::npos) return wrong(field, "expected two texts and a space");
        const auto left = bytes_of_byte_level(entry.substr(0, space));
        const auto right = bytes_of_byte_level(entry.substr(space + 1));
        if (!left || !right)
            return wrong(field, "is not made of the characters that stand for bytes");
        if (const Result<void> added = merges.add(*left, *right); !added)
            return wrong(field, added.error().message);
    }
    return {};
}

Result<void> read_bpe(const GgufVocabulary& vocabulary, Pipeline& pipeline) {
    TRY(add_added(vocabulary, false, pipeline));
    Merges merges;
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
        const std::int32_t type = vocabulary.type_of(i);
        if (type == kControlToken || type == kUserDefinedToken) continue;
        if (std::optional<std::string> raw = bytes_of_byte_level(vocabulary.tokens[i]))
            merges.ids.emplace(*std::move(raw), static_cast<TokenId>(i));
    }
    TRY(add_merges(vocabulary, merges));
    const std::span<const char* const> patterns = gguf_patterns(vocabulary.pieces);
    if (patterns.empty())
        return wrong(
            "tokenizer.ggml.pre", "'" + vocabulary.pieces +
                                      "' is not known here, and a count has to be exact; give the "
                                      "model's tokenizer.json instead"
        );
    for (const char* pattern : patterns)
        pipeline.splitters.push_back(
            split_by(TRY(Pattern::compile(pattern)), Matches::isolated, false)
        );
    merges.whole_pieces_first = gguf_takes_whole_pieces(vocabulary.pieces);
    pipeline.model = std::move(merges);
    return {};
}

// "<0x0A>", or the character itself.
Result<TokenId> token_of_byte(const TokenIds& ids, unsigned byte) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    const std::string named = {'<', '0', 'x', kHex[byte / 16], kHex[byte % 16], '>'};
    auto found = ids.find(named);
    if (found == ids.end()) found = ids.find(std::string(1, static_cast<char>(byte)));
    if (found == ids.end()) return wrong(kTokens, "lacks " + named);
    return found->second;
}

Result<void> read_sentence_piece(const GgufVocabulary& vocabulary, Pipeline& pipeline) {
    TRY(check_scores(vocabulary));
    TRY(add_added(vocabulary, true, pipeline));
    ScoredMerges merges;
    merges.scores = vocabulary.scores;
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
        const std::string_view token = vocabulary.tokens[i];
        merges.ids.insert_or_assign(std::string(token), static_cast<TokenId>(i));
        merges.token_bytes_max = std::max(merges.token_bytes_max, token.size());
    }
    TRY(check_lengths(vocabulary));
    for (unsigned byte = 0; byte < merges.bytes.size(); ++byte)
        merges.bytes.at(byte) = TRY(token_of_byte(merges.ids, byte));
    pipeline.spaces_texts = vocabulary.space_before.value_or(true);
    pipeline.normalizers.push_back(mark_spaces());
    pipeline.model = std::move(merges);
    return {};
}

Result<void> read_word_pieces(const GgufVocabulary& vocabulary, Pipeline& pipeline) {
    constexpr TokenId kUnknownDefault = 100;  // BERT's [UNK]
    TRY(check_lengths(vocabulary));
    TRY(add_added(vocabulary, true, pipeline));
    WordPiece words;
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i)
        words.first.add(std::string(vocabulary.tokens[i]), static_cast<TokenId>(i));
    words.first.sort();
    words.later = words.first;
    words.unknown = TRY(unknown_of(vocabulary, kUnknownDefault));
    pipeline.splitters.push_back(split_as_bert());
    pipeline.model = std::move(words);
    return {};
}

Result<void> read_unigram(const GgufVocabulary& vocabulary, Pipeline& pipeline) {
    constexpr TokenId kUnknownDefault = 2;  // T5's <unk>
    constexpr double kUnknownPenalty = 10;
    TRY(check_scores(vocabulary));
    TRY(check_lengths(vocabulary));
    TRY(add_added(vocabulary, true, pipeline));
    Unigram unigram;
    PrefixIndex kept;
    double least = 0;
    bool any = false;
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
        const std::int32_t type = vocabulary.type_of(i);
        const auto id = static_cast<TokenId>(i);
        const std::string token(vocabulary.tokens[i]);
        const double score = vocabulary.scores[i];
        unigram.scores.push_back(type == kUserDefinedToken ? 0 : score);
        if (type == kUserDefinedToken) kept.add(token, id);
        if (type == kNormalToken) least = any ? std::min(least, score) : score;
        any |= type == kNormalToken;
        if (type == kNormalToken || type == kUserDefinedToken || type == kUnusedToken)
            unigram.tokens.add(token, id);
    }
    unigram.tokens.sort();
    kept.sort();
    unigram.unknown_score = least - kUnknownPenalty;
    unigram.unknown = TRY(unknown_of(vocabulary, kUnknownDefault));
    std::optional<Charsmap> map;
    if (!vocabulary.charsmap.empty()) {
        Result<Charsmap> read = Charsmap::read(vocabulary.charsmap);
        if (!read) return wrong("tokenizer.ggml.precompiled_charsmap", read.error().message);
        map = *std::move(read);
    }
    pipeline.normalizers.push_back(normalize_for_unigram(
        std::move(map), std::move(kept),
        {.before = vocabulary.space_before.value_or(false),
         .merged = vocabulary.spaces_merged.value_or(false)}
    ));
    pipeline.model = std::move(unigram);
    return {};
}

}  // namespace

Result<Pipeline> read_gguf(std::string_view bytes) {
    const GgufVocabulary vocabulary = TRY(read_gguf_vocabulary(bytes));
    Pipeline pipeline;
    pipeline.size = vocabulary.tokens.size();
    using Read = Result<void> (*)(const GgufVocabulary&, Pipeline&);
    constexpr std::pair<std::string_view, Read> kModels[] = {
        {"gpt2", read_bpe},
        {"llama", read_sentence_piece},
        {"bert", read_word_pieces},
        {"t5", read_unigram}
    };
    for (const auto& [name, read] : kModels) {
        if (vocabulary.model != name) continue;
        TRY(check(vocabulary));
        TRY(read(vocabulary, pipeline));
        return pipeline;
    }
    return wrong(
        "tokenizer.ggml.model", "'" + vocabulary.model +
                                    "' is not implemented here, and a count has to be exact; "
                                    "give the model's tokenizer.json instead"
    );
}

}  // namespace penstock::tokenizer
