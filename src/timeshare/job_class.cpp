// SPDX-License-Identifier: Apache-2.0
#include "timeshare/job_class.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace penstock::timeshare {
namespace {

Job seen(const Job& job, Sight sight) {
    Job seen{.devices = job.devices, .weight = job.weight, .rate = job.rate};
    if (sight == Sight::steps || sight == Sight::steps_and_time) seen.steps_left = job.steps_left;
    if (sight == Sight::steps_and_time) seen.elapsed_s = job.elapsed_s;
    if (sight == Sight::rate_min) seen.rate_min = job.rate_min;
    return seen;
}

struct Before {
    bool operator()(const Job& a, const Job& b) const {
        return std::tie(a.devices, a.weight, a.rate, a.steps_left, a.elapsed_s, a.rate_min) <
               std::tie(b.devices, b.weight, b.rate, b.steps_left, b.elapsed_s, b.rate_min);
    }
};

}  // namespace

std::vector<JobClass> classes_of(const Problem& problem, Sight sight) {
    std::map<Job, std::vector<std::size_t>, Before> found;
    for (std::size_t i = 0; i < problem.jobs.size(); ++i)
        found[seen(problem.jobs[i], sight)].push_back(i);
    std::vector<JobClass> classes;
    for (auto& [job, jobs] : found) classes.push_back({job, std::move(jobs)});
    return classes;
}

ShareProgram::ShareProgram(const Problem& problem, const std::vector<JobClass>& classes)
    : problem_(problem), classes_(classes) {
    const std::size_t kinds = problem.kinds.size();
    std::vector<std::vector<LinearProgram::Entry>> used(kinds);
    for (const JobClass& each : classes) {
        std::vector<std::size_t>& variables = variables_.emplace_back(kinds, kNone);
        std::vector<LinearProgram::Entry> time;
        for (std::size_t j = 0; j < kinds; ++j) {
            if (!runs_on(problem, each.job, j)) continue;
            variables[j] = program_.add_variable(0, 0, 1);
            time.push_back({variables[j], 1});
            used[j].push_back({variables[j], each.count() * static_cast<double>(each.job.devices)});
        }
        program_.add_row(std::move(time), -LinearProgram::kInfinity, 1);
    }
    for (std::size_t j = 0; j < kinds; ++j)
        if (!used[j].empty())
            program_.add_row(
                std::move(used[j]), -LinearProgram::kInfinity,
                static_cast<double>(problem.kinds[j].devices)
            );
}

std::vector<LinearProgram::Entry> ShareProgram::throughput_of(std::size_t index, double factor)
    const {
    std::vector<LinearProgram::Entry> entries;
    for (std::size_t j = 0; j < problem_.kinds.size(); ++j)
        if (runs(index, j))
            entries.push_back({variables_[index][j], factor * classes_[index].job.rate[j]});
    return entries;
}

void ShareProgram::add_gain(std::size_t index, std::size_t kind, double gain) {
    if (runs(index, kind)) program_.set_gain(variables_[index][kind], gain);
}

bool ShareProgram::runs(std::size_t index, std::size_t kind) const {
    return variables_[index][kind] != kNone;
}

Shares ShareProgram::shares_in(const std::vector<double>& solution) const {
    Shares shares(problem_.jobs.size(), std::vector<double>(problem_.kinds.size(), 0));
    for (std::size_t c = 0; c < classes_.size(); ++c)
        for (std::size_t j = 0; j < problem_.kinds.size(); ++j) {
            if (!runs(c, j)) continue;
            const double share = std::clamp(solution[variables_[c][j]], 0.0, 1.0);
            for (const std::size_t job : classes_[c].jobs) shares[job][j] = share;
        }
    return shares;
}

}  // namespace penstock::timeshare
