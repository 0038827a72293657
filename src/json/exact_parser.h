// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/system/error_code.hpp>
#include <string_view>

#include "json/json.h"

// Boost.JSON's parser, with numbers read to the nearest double: its own reading may be one unit in
// the last place off (Boost 1.81), so that what was printed would not be what is read.
namespace penstock::json {

// How many characters of the text it used; behind them stands no more of the value.
std::size_t parse_exact(
    std::string_view text, std::size_t depth_max, Value& value, boost::system::error_code& error
);

}  // namespace penstock::json
