// SPDX-License-Identifier: Apache-2.0
#include "json/codec.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace penstock::json {
namespace {

// Edit distance with neighbour swaps (optimal string alignment); words here are short.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i)
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[a.size()][b.size()];
}

}  // namespace

std::string render(const Path* path) {
    if (path == nullptr) return {};
    std::string text = render(path->parent);
    if (path->key.data() == nullptr) return text + "[" + std::to_string(path->index) + "]";
    if (!text.empty()) text += '.';
    return text + std::string(path->key);
}

void Problems::add(const Path* path, std::string message) {
    if (errors_.size() < kProblemsMax)
        errors_.push_back({ErrorCode::invalid_argument, std::move(message), render(path)});
}

void Problems::add(std::string field, std::string message) {
    if (errors_.size() < kProblemsMax)
        errors_.push_back({ErrorCode::invalid_argument, std::move(message), std::move(field)});
}

std::string wrong_kind(std::string_view expected, const Value& got) {
    std::string_view kind = boost::json::to_string(got.kind()).data();
    if (got.is_int64() || got.is_uint64()) kind = "integer";
    if (got.is_double()) kind = "number";
    if (got.is_array()) kind = "list";
    return "expected " + std::string(expected) + ", got " + std::string(kind);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
    constexpr std::size_t kWordMax = 64;
    constexpr std::size_t kDistanceMax = 3;
    if (word.size() > kWordMax) return {};
    std::string_view best;
    std::size_t best_distance = kDistanceMax;
    for (const std::string_view candidate : known) {
        const std::size_t apart = distance(word, candidate);
        if (apart < best_distance && apart * 2 <= candidate.size()) {
            best = candidate;
            best_distance = apart;
        }
    }
    return best.empty() ? std::string() : " (did you mean '" + std::string(best) + "'?)";
}

std::string upper_case(std::string_view name) {
    std::string upper(name);
    for (char& c : upper)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return upper;
}

std::string decimal_text(double number) {
    constexpr std::size_t kTextMax = 32;
    std::array<char, kTextMax> buffer{};
    const auto [end, error] = std::to_chars(
        buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed
    );
    if (error != std::errc()) return std::to_string(number);
    return {buffer.data(), end};
}

}  // namespace penstock::json
