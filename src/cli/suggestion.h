// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

// The known word that was probably meant: the one with the fewest edits, at most a third of its
// length (two at least); empty when none is that near.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace penstock::cli
