// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/prefix_index.h"

#include <algorithm>
#include <tuple>

namespace penstock::tokenizer {

void PrefixIndex::sort() {
    std::erase_if(entries_, [](const Entry& entry) { return entry.text.empty(); });
    std::ranges::sort(entries_, {}, [](const Entry& entry) {
        return std::tie(entry.text, entry.id);
    });
    // The last of equal ones holds.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (i + 1 < entries_.size() && entries_[i].text == entries_[i + 1].text) continue;
        if (kept != i) entries_[kept] = std::move(entries_[i]);
        ++kept;
    }
    entries_.resize(kept);
    begins_.fill(entries_.size());
    for (std::size_t i = entries_.size(); i-- > 0;) {
        begins_.at(static_cast<unsigned char>(entries_[i].text.front())) = i;
        longest_bytes_ = std::max(longest_bytes_, entries_[i].text.size());
    }
    for (std::size_t byte = begins_.size() - 1; byte-- > 0;)
        begins_.at(byte) = std::min(begins_.at(byte), begins_.at(byte + 1));
}

void PrefixIndex::narrow(std::size_t& begin, std::size_t& end, std::size_t at, unsigned char byte)
    const {
    const auto byte_of = [&](const Entry& entry) {
        return static_cast<unsigned char>(entry.text[at]);
    };
    const auto range = std::ranges::equal_range(
        entries_.begin() + static_cast<std::ptrdiff_t>(begin),
        entries_.begin() + static_cast<std::ptrdiff_t>(end), byte, {}, byte_of
    );
    begin = static_cast<std::size_t>(range.begin() - entries_.begin());
    end = static_cast<std::size_t>(range.end() - entries_.begin());
}

std::optional<PrefixIndex::Match> PrefixIndex::longest(std::string_view text) const {
    std::optional<Match> last;
    each(text, [&](const Match& match) { last = match; });
    return last;
}

}  // namespace penstock::tokenizer
