// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace penstock::cli {

// How many columns of a terminal a UTF-8 text takes: two for East Asian wide characters and emoji,
// none for combining marks and control characters. An invalid octet counts one.
std::size_t display_width(std::string_view text);

// `text` with spaces behind it (or in front) until it is `width` columns wide; never cut.
std::string pad_right(std::string_view text, std::size_t width);
std::string pad_left(std::string_view text, std::size_t width);

// At most `width` columns, the last one "…" when something was cut.
std::string shorten(std::string_view text, std::size_t width);

// One line without control characters, so that a name from outside cannot steer the terminal.
std::string printable(std::string_view text);

}  // namespace penstock::cli
