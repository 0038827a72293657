// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "timeshare/linear_program.h"
#include "timeshare/problem.h"

namespace penstock::timeshare {

// Jobs that look alike to a policy, solved as one: an optimum that treats them alike exists, since
// the mean over their exchanges of any optimum is one.
struct JobClass {
    Job job;                        // what the policy sees of each
    std::vector<std::size_t> jobs;  // indices into the problem
    double count() const { return static_cast<double>(jobs.size()); }
};

// What a policy looks at beside devices, weight and rates.
enum class Sight : std::uint8_t { rates, steps, steps_and_time, rate_min };
std::vector<JobClass> classes_of(const Problem& problem, Sight sight);

// A program with one share per class and runnable kind, feasible by its rows; policies add theirs.
class ShareProgram {
  public:
    ShareProgram(const Problem& problem, const std::vector<JobClass>& classes);

    LinearProgram& program() { return program_; }
    // Σ_kind factor × rate × share of a class.
    std::vector<LinearProgram::Entry> throughput_of(std::size_t index, double factor) const;
    void add_gain(std::size_t index, std::size_t kind, double gain);
    bool runs(std::size_t index, std::size_t kind) const;
    // Shares of the jobs in a solution, cut to [0, 1].
    Shares shares_in(const std::vector<double>& solution) const;

  private:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    const Problem& problem_;
    const std::vector<JobClass>& classes_;
    LinearProgram program_;
    std::vector<std::vector<std::size_t>> variables_;  // [class][kind]; kNone: cannot run there
};

}  // namespace penstock::timeshare
