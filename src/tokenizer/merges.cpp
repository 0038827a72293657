// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/merges.h"

#include <queue>

#include "base/check.h"
#include "tokenizer/pipeline.h"

namespace penstock::tokenizer {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;

std::uint64_t key_of(TokenId left, TokenId right) { return (std::uint64_t{left} << 32U) | right; }

}  // namespace

// A token in a list of neighbours; one that was merged away is dead.
struct Merges::Symbol {
    TokenId id;
    std::uint32_t previous;
    std::uint32_t next;
    bool alive;
};

Result<void> Merges::add(std::string_view left, std::string_view right) {
    const auto a = ids.find(left);
    const auto b = ids.find(right);
    const auto both = ids.find(std::string(left) + std::string(right));
    if (a == ids.end() || b == ids.end() || both == ids.end())
        return fail(
            ErrorCode::invalid_argument, "the merge '" + std::string(left) + " " +
                                             std::string(right) +
                                             "' names a token that is not in the vocabulary"
        );
    const auto rank = static_cast<std::uint32_t>(merges_.size());
    merges_.insert_or_assign(key_of(a->second, b->second), Merge{rank, both->second});
    return {};
}

const Merges::Merge* Merges::find(TokenId left, TokenId right) const {
    const auto found = merges_.find(key_of(left, right));
    return found == merges_.end() ? nullptr : &found->second;
}

std::vector<Merges::Symbol> Merges::first_symbols(std::string_view piece) const {
    std::vector<Symbol> symbols;
    symbols.reserve(piece.size());
    bool after_unknown = false;
    for (std::size_t at = 0; at < piece.size();) {
        const std::size_t length = unit == Unit::byte ? 1 : character_length(piece, at);
        const std::string_view text = piece.substr(at, length);
        at += length;
        const auto known = ids.find(text);
        if (known != ids.end()) {
            symbols.push_back({known->second, 0, 0, true});
        } else if (fallback) {
            for (const char byte : text)
                symbols.push_back({fallback->at(static_cast<unsigned char>(byte)), 0, 0, true});
        } else if (unknown && !(fuse_unknown && after_unknown)) {
            symbols.push_back({*unknown, 0, 0, true});
        }
        after_unknown = known == ids.end() && !fallback;
    }
    for (std::uint32_t i = 0; i < symbols.size(); ++i) {
        symbols[i].previous = i == 0 ? kNone : i - 1;
        symbols[i].next = i + 1 == symbols.size() ? kNone : i + 1;
    }
    return symbols;
}

void Merges::merge_all(std::vector<Symbol>& symbols) const {
    struct Candidate {
        std::uint32_t rank;
        std::uint32_t left;
        TokenId left_id, right_id;  // as they were when it was found
        TokenId merged;
        bool operator>(const Candidate& other) const {
            return rank != other.rank ? rank > other.rank : left > other.left;
        }
    };
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
    const auto consider = [&](std::uint32_t left) {
        if (left == kNone || symbols[left].next == kNone) return;
        const TokenId a = symbols[left].id;
        const TokenId b = symbols[symbols[left].next].id;
        if (const Merge* merge = find(a, b))
            candidates.push({merge->rank, left, a, b, merge->merged});
    };
    for (std::uint32_t i = 0; i < symbols.size(); ++i) consider(i);
    while (!candidates.empty()) {
        const Candidate best = candidates.top();
        candidates.pop();
        Symbol& left = symbols[best.left];
        if (!left.alive || left.id != best.left_id || left.next == kNone) continue;
        Symbol& right = symbols[left.next];
        if (right.id != best.right_id) continue;
        right.alive = false;
        left.id = best.merged;
        left.next = right.next;
        if (left.next != kNone) symbols[left.next].previous = best.left;
        consider(left.previous);
        consider(best.left);
    }
}

void Merges::encode(std::string_view piece, std::vector<TokenId>& out) const {
    if (whole_pieces_first)
        if (const auto whole = ids.find(piece); whole != ids.end())
            return out.push_back(whole->second);
    CHECK(piece.size() < kNone, "texts are bounded");
    std::vector<Symbol> symbols = first_symbols(piece);
    merge_all(symbols);
    for (const Symbol& symbol : symbols)
        if (symbol.alive) out.push_back(symbol.id);
}

}  // namespace penstock::tokenizer
