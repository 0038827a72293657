// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/pipeline.h"

namespace penstock::tokenizer {
// The leftmost one, and of those the longest.
const AddedToken* Pipeline::next_added(
    std::string_view text, std::size_t from, SpecialTokens special, std::size_t& at
) const {
    for (at = from; at < text.size(); ++at) {
        const auto& starters = added_by_first_byte_.at(static_cast<unsigned char>(text[at]));
        const AddedToken* longest = nullptr;
        for (const std::size_t index : starters) {
            const AddedToken& token = added[index];
            if (token.special && special == SpecialTokens::as_text) continue;
            if (text.substr(at).starts_with(token.text) &&
                (longest == nullptr || token.text.size() > longest->text.size()))
                longest = &token;
        }
        if (longest != nullptr) return longest;
    }
    return nullptr;
}

void Pipeline::index_added() {
    for (auto& starters : added_by_first_byte_) starters.clear();
    for (std::size_t i = 0; i < added.size(); ++i)
        added_by_first_byte_.at(static_cast<unsigned char>(added[i].text.front())).push_back(i);
}

Result<void> Pipeline::encode(
    std::string_view text, SpecialTokens special, std::vector<TokenId>& out
) const {
    std::size_t done = 0;
    std::size_t at = 0;
    while (const AddedToken* token = next_added(text, done, special, at)) {
        std::size_t plain_end = at;
        std::size_t token_end = at + token->text.size();
        if (token->strips_left) plain_end -= space_after(text.substr(done, at - done));
        if (token->strips_right) token_end += space_before(text.substr(token_end));
        TRY(encode_plain(text.substr(done, plain_end - done), done == 0, out));
        out.push_back(token->id);
        done = token_end;
    }
    return encode_plain(text.substr(done), done == 0, out);
}

Result<void> Pipeline::encode_plain(std::string_view text, bool first, std::vector<TokenId>& out)
    const {
    if (text.empty()) return {};
    std::string normal((spaces_texts ? " " : "") + std::string(text));
    for (const Normalizer& normalizer : normalizers) normal = TRY(normalizer(std::move(normal)));
    Pieces pieces{std::move(normal)};
    for (const Splitter& splitter : splitters) {
        Pieces smaller;
        for (std::size_t i = 0; i < pieces.size(); ++i)
            TRY(splitter(pieces[i], first && i == 0, smaller));
        pieces = std::move(smaller);
    }
    std::visit(
        [&](const auto& made) {
            for (const std::string& piece : pieces) made.encode(piece, out);
        },
        model
    );
    return {};
}

}  // namespace penstock::tokenizer
