// SPDX-License-Identifier: Apache-2.0
#include "timeshare/linear_program.h"

#include <coin/Clp_C_Interface.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace penstock::timeshare {
namespace {

constexpr double kMaximise = -1;
enum Status : std::uint8_t { kOptimal = 0, kInfeasible = 1, kUnbounded = 2 };

struct Freed {
    void operator()(Clp_Simplex* model) const { Clp_deleteModel(model); }
};

}  // namespace

std::size_t LinearProgram::add_variable(double gain, double min, double max) {
    gains_.push_back(gain);
    mins_.push_back(min);
    maxs_.push_back(max);
    return gains_.size() - 1;
}

void LinearProgram::add_row(std::vector<Entry> entries, double min, double max) {
    rows_.push_back({std::move(entries), min, max});
}

Result<std::vector<double>> LinearProgram::maximise() const {
    // The solver takes the matrix column by column.
    std::vector<CoinBigIndex> starts(gains_.size() + 1, 0);
    for (const Row& row : rows_)
        for (const Entry& entry : row.entries) ++starts[entry.variable + 1];
    for (std::size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
    std::vector<CoinBigIndex> next(starts.begin(), starts.end() - 1);
    std::vector<int> indices(static_cast<std::size_t>(starts.back()));
    std::vector<double> values(indices.size());
    std::vector<double> row_mins;
    std::vector<double> row_maxs;
    for (const Row& row : rows_) {
        for (const Entry& entry : row.entries) {
            const auto at = static_cast<std::size_t>(next[entry.variable]++);
            indices[at] = static_cast<int>(row_mins.size());
            values[at] = entry.coefficient;
        }
        row_mins.push_back(row.min);
        row_maxs.push_back(row.max);
    }
    const std::unique_ptr<Clp_Simplex, Freed> model(Clp_newModel());
    Clp_setLogLevel(model.get(), 0);
    Clp_loadProblem(
        model.get(), static_cast<int>(gains_.size()), static_cast<int>(rows_.size()), starts.data(),
        indices.data(), values.data(), mins_.data(), maxs_.data(), gains_.data(), row_mins.data(),
        row_maxs.data()
    );
    Clp_setOptimizationDirection(model.get(), kMaximise);
    Clp_primal(model.get(), 0);
    const int status = Clp_status(model.get());
    if (status == kInfeasible)
        return fail(ErrorCode::conflict, "no shares satisfy all conditions of the policy");
    if (status != kOptimal)
        return fail(
            ErrorCode::internal, fmt::format("the linear program ended with status {}", status)
        );
    const double* solution = Clp_primalColumnSolution(model.get());
    return std::vector<double>(solution, solution + gains_.size());
}

}  // namespace penstock::timeshare
