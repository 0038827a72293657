// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Patterns of output files: "out/*.png", "/out/**/metrics.json", "model-[0-9].bin". A leading slash
// means the work directory. "*" and "?" stay within one segment and match no leading dot; "**" is
// any number of segments. What names a directory means everything below it.
namespace penstock::agent {

constexpr std::size_t kGlobEntriesMax = 100'000;  // looked at for one pattern; more is an error
constexpr std::size_t kGlobDepthMax = 64;         // deeper folders are an error

// "/out/./a" → "out/a"; ".." and an empty pattern are refused.
Result<std::string> normal_pattern(std::string_view pattern);
bool glob_match(std::string_view pattern, std::string_view path);  // both normal

struct GlobResult {
    std::vector<std::string> files;  // relative, sorted
    std::vector<std::string>
        skipped;  // links and special files that matched: they are not collected
};
// Follows no symbolic link.
Result<GlobResult> glob(const std::string& directory, std::string_view pattern);

}  // namespace penstock::agent
