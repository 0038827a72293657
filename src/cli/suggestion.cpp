// SPDX-License-Identifier: Apache-2.0
#include "cli/suggestion.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace penstock::cli {
namespace {

constexpr std::size_t kWordMax = 64;  // longer words are not worth the quadratic search

// Edits with neighbours swapped counting one (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t same = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + same});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before = std::exchange(last, row);
    }
    return last[b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    std::string best;
    std::size_t fewest = kWordMax;
    for (const std::string& one : known) {
        if (word.size() > kWordMax || one.size() > kWordMax) continue;
        const std::size_t edits = distance(word, one);
        const std::size_t allowed = std::max<std::size_t>(2, one.size() / 3);
        if (edits > allowed || edits >= one.size() || edits >= fewest) continue;
        fewest = edits;
        best = one;
    }
    return best;
}

}  // namespace penstock::cli
