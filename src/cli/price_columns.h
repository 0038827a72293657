// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/column.h"

namespace penstock::cli {

// What one class of tokens costs, from the PriceRows at `path`: "0.01", or "0.10 (input_fresh)"
// where another class's price stands for it.
Column class_price_column(std::string name, std::string path, std::string token_class);
// The priced lines of a bill: "cache_read_tokens 40 × 0.00000001 = 0.0000004; …", with "(as METER)"
// where another class's price stands for it.
std::string amounts_cell(const json::Value& row, const Look& look);

}  // namespace penstock::cli
