// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "base/result.h"

namespace penstock::timeshare {

// A linear program: maximise Σ gain × variable over bounded variables and rows. The same program
// gives the same answer. The solver behind it is named in the .cpp alone.
//
//     LinearProgram program;
//     const auto x = program.add_variable(1, 0, 1);
//     program.add_row({{x, 2}}, -LinearProgram::kInfinity, 1);   // 2x ≤ 1
//     const auto values = TRY(program.maximise());
class LinearProgram {
  public:
    static constexpr double kInfinity = std::numeric_limits<double>::infinity();
    struct Entry {
        std::size_t variable = 0;
        double coefficient = 0;
    };

    std::size_t add_variable(double gain, double min, double max);
    void set_gain(std::size_t variable, double gain) { gains_[variable] = gain; }
    // min ≤ Σ coefficient × variable ≤ max; a variable at most once.
    void add_row(std::vector<Entry> entries, double min, double max);

    // Fails where nothing satisfies the rows ("conflict") or the gain has no end ("internal").
    Result<std::vector<double>> maximise() const;

  private:
    struct Row {
        std::vector<Entry> entries;
        double min = 0;
        double max = 0;
    };
    std::vector<double> gains_;
    std::vector<double> mins_;
    std::vector<double> maxs_;
    std::vector<Row> rows_;
};

}  // namespace penstock::timeshare
