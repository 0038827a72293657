// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace penstock::tokenizer {

// A token longer than this makes a file be refused where all prefixes of a text are looked at,
// since the work on a text grows with its length times that of the longest token.
constexpr std::size_t kTokenBytesMax = 1024;

// Finds the tokens that a text begins with. Immutable once sorted.
class PrefixIndex {
  public:
    // Of the same text twice, the larger id holds. Empty texts are never found.
    void add(std::string text, TokenId id) { entries_.push_back({std::move(text), id}); }
    void sort();

    struct Match {
        std::size_t length = 0;  // in bytes
        TokenId id = 0;
    };
    // Calls `on_match(Match)` for each of them, the shortest first.
    template <class OnMatch>
    void each(std::string_view text, OnMatch&& on_match) const {
        if (text.empty()) return;
        const auto first = static_cast<unsigned char>(text.front());
        std::size_t begin = begins_.at(first);
        std::size_t end = begins_.at(first + 1U);
        for (std::size_t length = 1; begin < end; ++length) {
            if (entries_[begin].text.size() == length) {
                on_match(Match{length, entries_[begin].id});
                ++begin;
            }
            if (length == text.size()) return;
            narrow(begin, end, length, static_cast<unsigned char>(text[length]));
        }
    }
    std::optional<Match> longest(std::string_view text) const;
    std::size_t longest_bytes() const { return longest_bytes_; }
    bool empty() const { return entries_.empty(); }

  private:
    struct Entry {
        std::string text;
        TokenId id;
    };
    // Of entries that are alike up to `at`, those that go on with `byte`.
    void narrow(std::size_t& begin, std::size_t& end, std::size_t at, unsigned char byte) const;

    std::vector<Entry> entries_;
    std::array<std::size_t, 257> begins_{};  // of entries by their first byte
    std::size_t longest_bytes_ = 0;
};

}  // namespace penstock::tokenizer
