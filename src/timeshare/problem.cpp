// SPDX-License-Identifier: Apache-2.0
#include "timeshare/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace penstock::timeshare {
namespace {

Result<void> wrong(std::size_t job, std::string_view field, std::string_view what) {
    return fail_field(
        ErrorCode::invalid_argument, fmt::format("jobs[{}].{}", job, field), std::string(what)
    );
}

bool is_amount(double value) { return std::isfinite(value) && value >= 0; }

Result<void> check_job(const Problem& problem, std::size_t i) {
    const Job& job = problem.jobs[i];
    if (job.rate.size() != problem.kinds.size())
        return wrong(i, "rate", "give one rate for each kind of device");
    if (!std::ranges::all_of(job.rate, is_amount))
        return wrong(i, "rate", "rates are steps a second, 0 or more");
    if (job.devices < 1) return wrong(i, "devices", "a job takes at least one device");
    if (!is_amount(job.weight) || job.weight == 0) return wrong(i, "weight", "has to be above 0");
    for (const double value : {job.steps_left, job.rate_min, job.elapsed_s, job.waited_s})
        if (!is_amount(value)) return wrong(i, "steps_left", "amounts are finite, 0 or more");
    if (best_rate(problem, job) == 0)
        return wrong(i, "rate", "it can run on no kind: too few devices of those with a rate");
    return {};
}

}  // namespace

Result<void> check(const Problem& problem) {
    if (problem.kinds.empty() || problem.kinds.size() > kKindsMax)
        return fail_field(
            ErrorCode::invalid_argument, "kinds", fmt::format("give 1 to {} kinds", kKindsMax)
        );
    if (problem.jobs.size() > kJobsMax)
        return fail(
            ErrorCode::resource_exhausted, fmt::format("more than {} jobs at once", kJobsMax)
        );
    for (const Kind& kind : problem.kinds)
        if (kind.devices < 0 || kind.devices > kDevicesMax || !is_amount(kind.price_per_hour))
            return fail_field(
                ErrorCode::invalid_argument, "kinds",
                fmt::format("a kind has 0 to {} devices and a price of 0 or more", kDevicesMax)
            );
    if (!is_amount(problem.move_s) || problem.move_s >= to_seconds(kRound))
        return fail_field(
            ErrorCode::invalid_argument, "move_s", "a move takes 0 or more, less than a round"
        );
    for (std::size_t i = 0; i < problem.jobs.size(); ++i) TRY(check_job(problem, i));
    return {};
}

double throughput(const Job& job, std::span<const double> shares) {
    double sum = 0;
    for (std::size_t j = 0; j < shares.size(); ++j) sum += job.rate[j] * shares[j];
    return sum;
}

bool runs_on(const Problem& problem, const Job& job, std::size_t kind) {
    return job.rate[kind] > 0 && job.devices <= problem.kinds[kind].devices;
}

double steps_left(double declared, double done) { return std::abs(declared - done); }

double best_rate(const Problem& problem, const Job& job) {
    double best = 0;
    for (std::size_t j = 0; j < problem.kinds.size(); ++j)
        if (runs_on(problem, job, j)) best = std::max(best, job.rate[j]);
    return best;
}

double proportional_rate(const Problem& problem, const Job& job) {
    double sum = 0;
    double devices = 0;
    for (std::size_t j = 0; j < problem.kinds.size(); ++j) {
        const auto count = static_cast<double>(problem.kinds[j].devices);
        devices += count;
        if (runs_on(problem, job, j)) sum += job.rate[j] * count;
    }
    return sum / devices;
}

}  // namespace penstock::timeshare
