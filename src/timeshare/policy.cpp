// SPDX-License-Identifier: Apache-2.0
#include "timeshare/policy.h"

#include <algorithm>
#include <cmath>

#include "timeshare/job_class.h"

namespace penstock::timeshare {
namespace {

constexpr double kInfinity = LinearProgram::kInfinity;
constexpr double kSlack = 1e-7;  // of a level that a later program has to keep

// Factor that turns a class's throughput into its level.
double level_factor(const Problem& problem, const Job& job) {
    return static_cast<double>(job.devices) / job.weight / proportional_rate(problem, job);
}

// Equal device time for equal weight, capped at running all the time; each kind by its number.
Shares agnostic(const Problem& problem) {
    double devices = 0;
    for (const Kind& kind : problem.kinds) devices += static_cast<double>(kind.devices);
    std::vector<std::size_t> order(problem.jobs.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    // A job is full at level devices/weight; the least come first.
    const auto full_at = [&](std::size_t i) {
        return std::pair(static_cast<double>(problem.jobs[i].devices) / problem.jobs[i].weight, i);
    };
    std::ranges::sort(order, {}, full_at);
    double weights = 0;
    for (const Job& job : problem.jobs) weights += job.weight;
    Shares shares(problem.jobs.size(), std::vector<double>(problem.kinds.size(), 0));
    double left = devices;
    for (const std::size_t i : order) {
        const Job& job = problem.jobs[i];
        const double device_time =
            std::min(static_cast<double>(job.devices), left * job.weight / weights);
        left -= device_time;
        weights -= job.weight;
        for (std::size_t j = 0; j < problem.kinds.size(); ++j)
            shares[i][j] = device_time / static_cast<double>(job.devices) *
                           static_cast<double>(problem.kinds[j].devices) / devices;
    }
    return shares;
}

// Raises the least level of some classes while others keep at least theirs.
class Maximin {
  public:
    Maximin(const Problem& problem, const std::vector<JobClass>& classes)
        : problem_(problem), classes_(classes), kept_(classes.size(), -1) {}

    bool fixed(std::size_t c) const { return kept_[c] >= 0; }
    void fix(std::size_t c, double level) { kept_[c] = level; }
    bool all_fixed() const {
        return std::ranges::all_of(kept_, [](double level) { return level >= 0; });
    }

    // The highest least level of the classes that are not fixed.
    Result<double> raise() const {
        ShareProgram shares(problem_, classes_);
        const std::size_t least = shares.program().add_variable(1, 0, kInfinity);
        for (std::size_t c = 0; c < classes_.size(); ++c) {
            auto entries = shares.throughput_of(c, level_factor(problem_, classes_[c].job));
            if (!fixed(c)) entries.push_back({least, -1});
            shares.program().add_row(
                std::move(entries), fixed(c) ? kept_[c] * (1 - kSlack) : 0, kInfinity
            );
        }
        return TRY(shares.program().maximise())[least];
    }

    // Everybody keeps its level, or `least` where it has none; the sum of levels of `wanted`
    // becomes the highest.
    Result<Shares> spread(double least, const std::vector<std::size_t>& wanted) const {
        ShareProgram shares(problem_, classes_);
        for (std::size_t c = 0; c < classes_.size(); ++c) {
            const double factor = level_factor(problem_, classes_[c].job);
            shares.program().add_row(
                shares.throughput_of(c, factor), (fixed(c) ? kept_[c] : least) * (1 - kSlack),
                kInfinity
            );
        }
        for (const std::size_t c : wanted) {
            const double factor = classes_[c].count() * level_factor(problem_, classes_[c].job);
            for (std::size_t j = 0; j < problem_.kinds.size(); ++j)
                shares.add_gain(c, j, factor * classes_[c].job.rate[j]);
        }
        return shares.shares_in(TRY(shares.program().maximise()));
    }

    double level_of(std::size_t c, const Shares& shares) const {
        return level(problem_, classes_[c].job, shares[classes_[c].jobs.front()]);
    }

  private:
    const Problem& problem_;
    const std::vector<JobClass>& classes_;
    std::vector<double> kept_;  // least level of a fixed class; -1: free to rise
};

std::vector<std::size_t> all_of(const std::vector<JobClass>& classes) {
    std::vector<std::size_t> all(classes.size());
    for (std::size_t c = 0; c < all.size(); ++c) all[c] = c;
    return all;
}

Result<Shares> maximin(const Problem& problem) {
    const std::vector<JobClass> classes = classes_of(problem, Sight::rates);
    const Maximin program(problem, classes);
    return program.spread(TRY(program.raise()), all_of(classes));
}

// Level after level: whoever can rise no further is fixed there, the others go on.
Result<Shares> water_filling(const Problem& problem) {
    constexpr double kRisen = 1e-5;  // relative rise that counts
    const std::vector<JobClass> classes = classes_of(problem, Sight::rates);
    Maximin program(problem, classes);
    while (!program.all_fixed()) {
        const double least = TRY(program.raise());
        bool any = false;
        std::vector<bool> stuck(classes.size(), true);
        for (std::size_t c = 0; c < classes.size(); ++c) {
            if (program.fixed(c) || !stuck[c]) continue;
            const Shares shares = TRY(program.spread(least, {c}));
            for (std::size_t other = c; other < classes.size(); ++other)
                if (program.level_of(other, shares) > least * (1 + kRisen)) stuck[other] = false;
        }
        for (std::size_t c = 0; c < classes.size(); ++c) {
            if (program.fixed(c) || !stuck[c]) continue;
            program.fix(c, least);
            any = true;
        }
        // Rounding may leave all a little room: then this level is the last.
        for (std::size_t c = 0; c < classes.size() && !any; ++c)
            if (!program.fixed(c)) program.fix(c, least);
    }
    return program.spread(0, all_of(classes));
}

// The largest common multiple of the rates that `needed` asks, as shares that reach it.
struct Reached {
    double multiple = 0;
    Shares shares;
};
Result<Reached> reach(
    const Problem& problem, const std::vector<JobClass>& classes, const std::vector<double>& needed
) {
    ShareProgram shares(problem, classes);
    const std::size_t multiple = shares.program().add_variable(1, 0, kInfinity);
    for (std::size_t c = 0; c < classes.size(); ++c) {
        if (needed[c] == 0) continue;
        const double best = best_rate(problem, classes[c].job);
        auto entries = shares.throughput_of(c, 1 / best);
        entries.push_back({multiple, -needed[c] / best});
        shares.program().add_row(std::move(entries), 0, kInfinity);
    }
    const std::vector<double> solution = TRY(shares.program().maximise());
    return Reached{solution[multiple], shares.shares_in(solution)};
}

bool nothing_left(const std::vector<JobClass>& classes) {
    return std::ranges::all_of(classes, [](const JobClass& c) { return c.job.steps_left == 0; });
}

// Every job needs steps_left / T: the least T is one over the largest multiple of steps_left.
Result<Shares> makespan(const Problem& problem) {
    const std::vector<JobClass> classes = classes_of(problem, Sight::steps);
    if (nothing_left(classes)) return maximin(problem);
    std::vector<double> needed;
    for (const JobClass& each : classes) needed.push_back(each.job.steps_left);
    return TRY(reach(problem, classes, needed)).shares;
}

// Time to finish over time to finish on an equal part of all devices, both since arrival. The
// least of the greatest is found by halving: a ratio asks a rate of each job.
Result<Shares> finish_time(const Problem& problem) {
    constexpr int kHalvings = 40;
    constexpr double kRatioMax = 1e6;
    const std::vector<JobClass> classes = classes_of(problem, Sight::steps_and_time);
    if (nothing_left(classes)) return maximin(problem);
    double part = 0;
    for (const Job& job : problem.jobs) part += static_cast<double>(job.devices);
    double devices = 0;
    for (const Kind& kind : problem.kinds) devices += static_cast<double>(kind.devices);
    part = std::min(1.0, devices / part);
    const auto needed_at = [&](double ratio) {
        std::vector<double> needed;
        for (const JobClass& each : classes) {
            const Job& job = each.job;
            const double alone =
                job.elapsed_s + job.steps_left / (part * proportional_rate(problem, job));
            const double left = ratio * alone - job.elapsed_s;
            needed.push_back(
                job.steps_left == 0 ? 0
                : left > 0          ? job.steps_left / left
                                    : kInfinity
            );
        }
        return needed;
    };
    double low = 0;
    double high = kRatioMax;
    Reached best = TRY(reach(problem, classes, needed_at(high)));
    for (int i = 0; i < kHalvings; ++i) {
        const double ratio = low == 0 ? high / 2 : std::sqrt(low * high);
        const std::vector<double> needed = needed_at(ratio);
        const bool possible =
            std::ranges::all_of(needed, [](double rate) { return std::isfinite(rate); });
        Reached tried = possible ? TRY(reach(problem, classes, needed)) : Reached{};
        if (tried.multiple < 1) {
            low = ratio;
            continue;
        }
        high = ratio;
        best = std::move(tried);
    }
    return best.shares;
}

Result<Shares> cost(const Problem& problem) {
    const std::vector<JobClass> classes = classes_of(problem, Sight::rate_min);
    ShareProgram shares(problem, classes);
    for (std::size_t c = 0; c < classes.size(); ++c) {
        const Job& job = classes[c].job;
        if (job.rate_min > 0)
            shares.program().add_row(shares.throughput_of(c, 1), job.rate_min, kInfinity);
        for (std::size_t j = 0; j < problem.kinds.size(); ++j)
            shares.add_gain(
                c, j, classes[c].count() * job.rate[j] / problem.kinds[j].price_per_hour
            );
    }
    return shares.shares_in(TRY(shares.program().maximise()));
}

Result<void> check_prices(const Problem& problem) {
    for (const Kind& kind : problem.kinds)
        if (kind.price_per_hour <= 0)
            return fail_field(
                ErrorCode::invalid_argument, "kinds",
                "gavel-cost needs a price above 0 for every kind of device"
            );
    return {};
}

}  // namespace

double level(const Problem& problem, const Job& job, std::span<const double> shares) {
    return level_factor(problem, job) * throughput(job, shares);
}

Result<Shares> allocate(Policy policy, const Problem& problem) {
    TRY(check(problem));
    if (policy == Policy::gavel_cost) TRY(check_prices(problem));
    if (problem.jobs.empty()) return Shares{};
    switch (policy) {
        case Policy::agnostic_las:
            return agnostic(problem);
        case Policy::gavel_las:
            return maximin(problem);
        case Policy::gavel_water_filling:
            return water_filling(problem);
        case Policy::gavel_makespan:
            return makespan(problem);
        case Policy::gavel_finish_time:
            return finish_time(problem);
        case Policy::gavel_cost:
            return cost(problem);
    }
    return fail(ErrorCode::internal, "no such policy");
}

}  // namespace penstock::timeshare
