// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/scored_merges.h"

#include <algorithm>
#include <queue>

#include "base/check.h"
#include "tokenizer/pipeline.h"

namespace penstock::tokenizer {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;

}  // namespace

// A stretch of the text in a list of neighbours; one that was merged away is empty.
struct ScoredMerges::Symbol {
    std::uint32_t begin;
    std::uint32_t size;
    std::uint32_t previous;
    std::uint32_t next;
};

struct ScoredMerges::Candidate {
    float score;
    std::uint32_t left;
    std::uint32_t right;
    std::uint32_t size;  // of both, when it was found
    bool operator<(const Candidate& other) const {
        return score != other.score ? score < other.score : left > other.left;
    }
};

class ScoredMerges::Work {
  public:
    Work(const ScoredMerges& merges, std::string_view text) : merges_(merges), text_(text) {
        for (std::uint32_t at = 0; at < text.size();) {
            const auto size =
                static_cast<std::uint32_t>(std::min(character_length(text, at), text.size() - at));
            const auto index = static_cast<std::uint32_t>(symbols_.size());
            const bool last = at + size == text.size();
            symbols_.push_back({at, size, index == 0 ? kNone : index - 1, last ? kNone : index + 1}
            );
            at += size;
        }
        for (std::uint32_t i = 0; i < symbols_.size(); ++i) consider(i);
    }

    void run() {
        while (!candidates_.empty()) {
            const Candidate best = candidates_.top();
            candidates_.pop();
            Symbol& left = symbols_[best.left];
            Symbol& right = symbols_[best.right];
            if (left.size == 0 || right.size == 0 || left.size + right.size != best.size) continue;
            left.size += right.size;
            right.size = 0;
            left.next = right.next;
            if (left.next != kNone) symbols_[left.next].previous = best.left;
            if (left.previous != kNone) consider(left.previous);
            consider(best.left);
        }
    }

    void write(std::vector<TokenId>& out) const {
        for (const Symbol& symbol : symbols_) {
            if (symbol.size == 0) continue;
            const std::string_view part = text_.substr(symbol.begin, symbol.size);
            if (const auto found = merges_.ids.find(part); found != merges_.ids.end()) {
                out.push_back(found->second);
                continue;
            }
            for (const char byte : part)
                out.push_back(merges_.bytes.at(static_cast<unsigned char>(byte)));
        }
    }

  private:
    void consider(std::uint32_t left) {
        const std::uint32_t right = symbols_[left].next;
        if (right == kNone) return;
        const std::uint32_t size = symbols_[left].size + symbols_[right].size;
        if (size > merges_.token_bytes_max) return;
        const auto found = merges_.ids.find(text_.substr(symbols_[left].begin, size));
        if (found == merges_.ids.end()) return;
        candidates_.push({merges_.scores[found->second], left, right, size});
    }

    const ScoredMerges& merges_;
    std::string_view text_;
    std::vector<Symbol> symbols_;
    std::priority_queue<Candidate> candidates_;
};

void ScoredMerges::encode(std::string_view text, std::vector<TokenId>& out) const {
    CHECK(text.size() < kNone, "texts are bounded");
    Work work(*this, text);
    work.run();
    work.write(out);
}

}  // namespace penstock::tokenizer
