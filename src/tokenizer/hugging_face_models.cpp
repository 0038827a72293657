// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "tokenizer/hugging_face_file.h"

// The models: BPE, Unigram, WordPiece, WordLevel.
namespace penstock::tokenizer {
namespace {

Result<void> read_vocabulary(const Node& node, bool byte_level, Merges& merges, std::size_t& size) {
    if (node.value == nullptr || !node.value->is_object())
        return wrong(node.path, "expected an object of tokens and their numbers");
    const json::Object& vocabulary = node.value->get_object();
    if (vocabulary.size() > kTokensMax) return wrong(node.path, "has more tokens than 4000000");
    merges.unit = byte_level ? Merges::Unit::byte : Merges::Unit::character;
    for (const auto& [text, number] : vocabulary) {
        const TokenId id = TRY((Node{&number, node.path + "['" + std::string(text) + "']"}.id()));
        size = std::max<std::size_t>(size, id + 1);
        if (!byte_level) {
            merges.ids.emplace(text, id);
            continue;
        }
        // Those that are not made of byte characters are reached as added tokens only.
        if (std::optional<std::string> bytes = bytes_of_byte_level(text))
            merges.ids.emplace(*std::move(bytes), id);
    }
    return {};
}

Result<void> add_merge(
    Merges& merges, const std::string& path, bool byte_level, std::string left, std::string right
) {
    if (byte_level) {
        const std::optional<std::string> a = bytes_of_byte_level(left);
        const std::optional<std::string> b = bytes_of_byte_level(right);
        if (!a || !b) return wrong(path, "is not made of the characters that stand for bytes");
        left = *a;
        right = *b;
    }
    if (const Result<void> added = merges.add(left, right); !added)
        return wrong(path, added.error().message);
    return {};
}

// "left right", or ["left", "right"] in newer files.
Result<void> read_merges(const Node& node, bool byte_level, Merges& merges) {
    for (const Node& entry : TRY(node.list(kTokensMax))) {
        if (entry.value->is_array()) {
            const std::vector<Node> pair = TRY(entry.list(2));
            if (pair.size() != 2) return wrong(entry.path, "expected two texts");
            TRY(add_merge(merges, entry.path, byte_level, TRY(pair[0].text()), TRY(pair[1].text()))
            );
            continue;
        }
        const std::string text = TRY(entry.text());
        const std::size_t space = text.find(' ');
        if (space == std::string::npos) return wrong(entry.path, "expected two texts and a space");
        TRY(add_merge(merges, entry.path, byte_level, text.substr(0, space), text.substr(space + 1))
        );
    }
    return {};
}

// "<0x00>" to "<0xFF>", where the file says that bytes stand for what is no token.
template <class Find>
Result<std::optional<std::array<TokenId, 256>>> read_fallback(const Node& model, Find&& find) {
    if (!TRY(model.at("byte_fallback").flag(false)))
        return std::optional<std::array<TokenId, 256>>();
    std::array<TokenId, 256> fallback{};
    for (unsigned byte = 0; byte < fallback.size(); ++byte) {
        constexpr std::string_view kHex = "0123456789ABCDEF";
        const std::string text = {'<', '0', 'x', kHex[byte / 16], kHex[byte % 16], '>'};
        const std::optional<TokenId> found = find(text);
        if (!found) return wrong(model.at("byte_fallback").path, "the vocabulary lacks " + text);
        fallback.at(byte) = *found;
    }
    return std::optional(fallback);
}

std::optional<TokenId> find_in(const TokenIds& ids, std::string_view text) {
    const auto found = ids.find(text);
    return found == ids.end() ? std::nullopt : std::optional(found->second);
}

Result<TokenId> unknown_of(const Node& model, const TokenIds& ids) {
    const Node unknown = model.at("unk_token");
    const std::optional<TokenId> id = find_in(ids, TRY(unknown.text()));
    if (!id) return wrong(unknown.path, "is not in the vocabulary");
    return *id;
}

Result<Model> read_bpe(const Node& model, bool byte_level, std::size_t& size) {
    for (const char* name : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
        const Node option = model.at(name);
        const bool empty = option.absent() || (option.value->is_string() && *option.value == "");
        if (!empty) return not_implemented(option.path, name);
    }
    Merges merges;
    TRY(read_vocabulary(model.at("vocab"), byte_level, merges, size));
    TRY(read_merges(model.at("merges"), byte_level, merges));
    merges.fallback =
        TRY(read_fallback(model, [&](std::string_view text) { return find_in(merges.ids, text); }));
    merges.whole_pieces_first = TRY(model.at("ignore_merges").flag(false));
    merges.fuse_unknown = TRY(model.at("fuse_unk").flag(false));
    if (const Node unknown = model.at("unk_token"); !unknown.absent()) {
        const Node token = model.at("vocab").at(TRY(unknown.text()));
        if (token.absent()) return wrong(unknown.path, "is not in the vocabulary");
        merges.unknown = TRY(token.id());
    }
    return merges;
}

Result<void> check_length(const Node& node, std::string_view token) {
    if (token.size() <= kTokenBytesMax) return {};
    return wrong(
        node.path, "is a token of " + std::to_string(token.size()) + " bytes; at most " +
                       std::to_string(kTokenBytesMax) + " are read"
    );
}

// [["token", score], …]: the ids are their places.
Result<Model> read_unigram(const Node& model, std::size_t& size) {
    constexpr double kUnknownPenalty = 10;  // below the least score, as in the library
    Unigram unigram;
    TokenIds ids;
    double least = 0;
    for (const Node& entry : TRY(model.at("vocab").list(kTokensMax))) {
        const std::vector<Node> pair = TRY(entry.list(2));
        if (pair.size() != 2) return wrong(entry.path, "expected a text and a score");
        std::string token = TRY(pair[0].text());
        TRY(check_length(entry, token));
        const double score = TRY(pair[1].number());
        if (!std::isfinite(score)) return wrong(pair[1].path, "is too large a number");
        least = unigram.scores.empty() ? score : std::min(least, score);
        const auto id = static_cast<TokenId>(unigram.scores.size());
        unigram.scores.push_back(score);
        ids.insert_or_assign(token, id);
        unigram.tokens.add(std::move(token), id);
    }
    unigram.tokens.sort();
    size = unigram.scores.size();
    const Node unknown = model.at("unk_id");
    unigram.unknown = TRY(unknown.id());
    if (unigram.unknown >= size) return wrong(unknown.path, "is not in the vocabulary");
    unigram.unknown_score = least - kUnknownPenalty;
    unigram.fallback =
        TRY(read_fallback(model, [&](std::string_view text) { return find_in(ids, text); }));
    return unigram;
}

Result<TokenIds> read_words(const Node& vocabulary, std::size_t& size) {
    Merges words;
    TRY(read_vocabulary(vocabulary, false, words, size));
    return std::move(words.ids);
}

Result<Model> read_word_piece(const Node& model, std::size_t& size) {
    const TokenIds ids = TRY(read_words(model.at("vocab"), size));
    const std::string prefix = model.at("continuing_subword_prefix").absent()
                                   ? std::string("##")
                                   : TRY(model.at("continuing_subword_prefix").text());
    WordPiece words;
    for (const auto& [token, id] : ids) {
        TRY(check_length(model.at("vocab"), token));
        words.first.add(token, id);
        if (token.starts_with(prefix)) words.later.add(token.substr(prefix.size()), id);
    }
    words.first.sort();
    words.later.sort();
    words.unknown = TRY(unknown_of(model, ids));
    constexpr std::int64_t kCharactersMax = 100;  // where the file says nothing
    const Node most = model.at("max_input_chars_per_word");
    const std::int64_t characters = most.absent() ? kCharactersMax : TRY(most.integer());
    if (characters < 0) return wrong(most.path, "must not be below 0");
    words.word_characters_max = static_cast<std::size_t>(characters);
    return words;
}

Result<Model> read_word_level(const Node& model, std::size_t& size) {
    WordLevel words;
    words.ids = TRY(read_words(model.at("vocab"), size));
    words.unknown = TRY(unknown_of(model, words.ids));
    return words;
}

}  // namespace

Result<void> read_model(const Node& model, bool byte_level, Pipeline& out) {
    const std::string type = model.at("type").absent() ? "BPE" : TRY(model.at("type").text());
    if (byte_level && type != "BPE")
        return not_implemented(model.at("type").path, type + " behind ByteLevel");
    if (type == "BPE")
        out.model = TRY(read_bpe(model, byte_level, out.size));
    else if (type == "Unigram")
        out.model = TRY(read_unigram(model, out.size));
    else if (type == "WordPiece")
        out.model = TRY(read_word_piece(model, out.size));
    else if (type == "WordLevel")
        out.model = TRY(read_word_level(model, out.size));
    else
        return not_implemented(model.at("type").path, type);
    return {};
}

}  // namespace penstock::tokenizer
