// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json.hpp>
#include <string_view>

// Boost.JSON's parser, with numbers read to the nearest double: its own reading may be one unit in
// the last place off (Boost 1.81), so that what was printed would not be what is read.
namespace penstock::json {

struct Parsed {
    boost::json::value value;
    std::size_t used = 0;  // characters of the text; behind them stands no more of the value
    boost::json::error_code error;
};
Parsed parse_exact(std::string_view text, std::size_t depth_max);

}  // namespace penstock::json
