// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

// What makers publish of accelerator models. Not measured here: an upper bound for planning, shown
// as such; what is not in the table is unknown.
namespace penstock {

struct AcceleratorFacts {
    std::string_view model;  // as tasks ask for it: "H100"
    int board_watts = 0;     // the most that the board may draw
    // Precision ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8") → 10¹² operations a second,
    // dense, without sparsity. Where a model comes in several forms: of the one for a mainboard
    // socket.
    std::map<std::string, double> peak_tflops;
};

// nullptr: the table has no such model. Names compare exactly.
const AcceleratorFacts* facts_of(std::string_view model);
// Model → watts, of all models in the table.
const std::map<std::string, double>& board_watts_by_model();

}  // namespace penstock
