// SPDX-License-Identifier: Apache-2.0
#include "sim/seeds.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace penstock::sim {
namespace {

std::unexpected<Error> no_seeds(std::string_view text, std::string_view why) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("'{}' {}: write seeds as 42, 42..51 or 0,1,2", text, why)
    );
}

Result<std::uint64_t> parse_seed(std::string_view text) {
    std::uint64_t seed = 0;
    const char* end = std::to_address(text.end());
    const auto [stop, error] = std::from_chars(std::to_address(text.begin()), end, seed);
    if (error != std::errc{} || stop != end) return no_seeds(text, "is no whole number from 0 on");
    return seed;
}

Result<void> append(std::vector<std::uint64_t>& seeds, std::string_view range) {
    const std::size_t dots = range.find("..");
    const std::uint64_t first = TRY(parse_seed(range.substr(0, dots)));
    const std::uint64_t last =
        dots == std::string_view::npos ? first : TRY(parse_seed(range.substr(dots + 2)));
    if (last < first) return no_seeds(range, "runs backwards");
    if (last - first >= kSeedsMax - seeds.size())
        return no_seeds(range, fmt::format("makes more than {} seeds", kSeedsMax));
    for (std::uint64_t i = 0; i <= last - first; ++i) {
        if (std::ranges::find(seeds, first + i) != seeds.end())
            return no_seeds(range, "names a seed again");
        seeds.push_back(first + i);
    }
    return {};
}

}  // namespace

Result<std::vector<std::uint64_t>> parse_seeds(std::string_view text) {
    std::vector<std::uint64_t> seeds;
    while (true) {
        const std::size_t comma = text.find(',');
        TRY(append(seeds, text.substr(0, comma)));
        if (comma == std::string_view::npos) return seeds;
        text.remove_prefix(comma + 1);
    }
}

}  // namespace penstock::sim
