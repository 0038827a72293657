// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/unigram.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "tokenizer/pipeline.h"

namespace penstock::tokenizer {

// The best way to a place in the piece: where its last token begins, and which it is.
struct Unigram::Step {
    double score = -std::numeric_limits<double>::infinity();
    std::uint32_t from = 0;
    TokenId id = 0;

    void offer(const Step& other) {
        if (other.score > score) *this = other;
    }
};

void Unigram::encode(std::string_view piece, std::vector<TokenId>& out) const {
    CHECK(piece.size() < UINT32_MAX, "texts are bounded");
    std::vector<Step> best(piece.size() + 1);
    best[0].score = 0;
    for (std::size_t at = 0; at < piece.size();) {
        const std::size_t character = std::min(character_length(piece, at), piece.size() - at);
        const auto from = static_cast<std::uint32_t>(at);
        const double so_far = best[at].score;
        bool alone = false;  // the character is a token
        tokens.each(piece.substr(at), [&](const PrefixIndex::Match& match) {
            alone |= match.length == character;
            best[at + match.length].offer({so_far + scores[match.id], from, match.id});
        });
        if (!alone) best[at + character].offer({so_far + unknown_score, from, unknown});
        at += character;
    }
    // From the end to the beginning; what is unknown is one from where its run begins.
    const auto first = static_cast<std::ptrdiff_t>(out.size());
    for (std::size_t end = piece.size(); end > 0;) {
        std::size_t begin = best[end].from;
        if (best[end].id == unknown) {
            while (begin > 0 && best[begin].id == unknown) begin = best[begin].from;
            add_unknown(piece.substr(begin, end - begin), out);
        } else {
            out.push_back(best[end].id);
        }
        end = begin;
    }
    std::reverse(out.begin() + first, out.end());
}

// Last byte first, as all of them. The text may be the token for what is unknown itself.
void Unigram::add_unknown(std::string_view text, std::vector<TokenId>& out) const {
    const auto token = fallback ? tokens.longest(text) : std::nullopt;
    if (!fallback || (token && token->length == text.size())) return out.push_back(unknown);
    for (std::size_t i = text.size(); i-- > 0;)
        out.push_back(fallback->at(static_cast<unsigned char>(text[i])));
}

}  // namespace penstock::tokenizer
