// SPDX-License-Identifier: Apache-2.0
#include "timeshare/rounds.h"

#include <algorithm>
#include <tuple>

namespace penstock::timeshare {

struct Rounds::Pair {
    double priority = 0;
    double owed = 0;
    double share = 0;
    double fitness = 0;
    JobNumber job = 0;
    std::size_t kind = 0;
    std::int64_t devices = 0;

    // Highest first; equal ones by number, so that the order is one.
    bool operator<(const Pair& other) const {
        return std::tie(other.priority, other.owed, other.share, other.fitness, job, kind) <
               std::tie(priority, owed, share, fitness, other.job, other.kind);
    }
};

void Rounds::set(
    const Problem& problem, const std::vector<JobNumber>& numbers, const Shares& shares
) {
    const std::size_t kinds = problem.kinds.size();
    const bool forget = devices_.empty() || since_forgotten_s_ >= to_seconds(kForgetAfter);
    devices_.clear();
    for (const Kind& kind : problem.kinds) devices_.push_back(kind.devices);
    if (forget) {
        time_.assign(kinds, 0);
        since_forgotten_s_ = 0;
    }
    std::map<JobNumber, State> states;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const Job& job = problem.jobs[i];
        const auto known = states_.find(numbers[i]);
        State state = known != states_.end() ? std::move(known->second)
                                             : State{
                                                   .received = std::vector<double>(kinds, 0),
                                                   .owed = std::vector<double>(kinds, 0)
                                               };
        state.devices = job.devices;
        state.share = shares[i];
        const double best = best_rate(problem, job);
        state.fitness.assign(kinds, 0);
        for (std::size_t j = 0; j < kinds; ++j)
            if (runs_on(problem, job, j))
                state.fitness[j] = spare_ == Spare::to_the_fastest ? job.rate[j] / best : 1;
        if (forget) state.received.assign(kinds, 0);
        states.emplace(numbers[i], std::move(state));
    }
    states_ = std::move(states);
}

void Rounds::count(JobNumber job, const std::vector<double>& received, double counted_s) {
    State& state = states_.at(job);
    for (std::size_t j = 0; j < devices_.size(); ++j) {
        time_[j] += (received[j] - state.received[j]) * static_cast<double>(state.devices);
        state.received[j] = received[j];
        state.owed[j] = state.share[j] * counted_s - received[j];
    }
}

std::vector<Rounds::Pair> Rounds::ordered() const {
    constexpr double kNeverReceived = 1e9;
    std::vector<Pair> pairs;
    for (const auto& [number, state] : states_)
        for (std::size_t j = 0; j < devices_.size(); ++j) {
            if (state.fitness[j] == 0) continue;
            const double part = time_[j] > 0 ? state.received[j] / time_[j] : 0;
            pairs.push_back(
                {.priority = part > 0 ? state.share[j] / part : state.share[j] * kNeverReceived,
                 .owed = state.share[j] > 0 ? state.owed[j] : 0,
                 .share = state.share[j],
                 .fitness = state.fitness[j],
                 .job = number,
                 .kind = j,
                 .devices = state.devices}
            );
        }
    std::ranges::sort(pairs, [](const Pair& a, const Pair& b) { return a < b; });
    return pairs;
}

std::vector<Grant> Rounds::next() {
    const double round = to_seconds(kRound);
    std::vector<std::int64_t> free = devices_;
    std::map<JobNumber, std::size_t> taken;
    std::vector<Grant> grants;
    for (const Pair& pair : ordered()) {
        if (pair.devices > free[pair.kind] || !taken.emplace(pair.job, pair.kind).second) continue;
        free[pair.kind] -= pair.devices;
        grants.push_back({pair.job, pair.kind});
        states_.at(pair.job).received[pair.kind] += round;
        time_[pair.kind] += round * static_cast<double>(pair.devices);
    }
    for (auto& [number, state] : states_) {
        const auto ran = taken.find(number);
        for (std::size_t j = 0; j < devices_.size(); ++j)
            state.owed[j] +=
                state.share[j] * round - (ran != taken.end() && ran->second == j ? round : 0);
    }
    since_forgotten_s_ += round;
    return grants;
}

}  // namespace penstock::timeshare
