// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>

#include "base/time.h"
#include "timeshare/problem.h"

namespace penstock::timeshare {

using JobNumber = std::uint64_t;  // names a job over rounds, given by the owner

// Who gets devices that no share asks for in a round: to know who is fastest there takes rates.
enum class Spare : std::uint8_t { to_the_fastest, to_anyone };

struct Grant {
    JobNumber job = 0;
    std::size_t kind = 0;
    bool operator==(const Grant&) const = default;
};

// Turns shares into rounds: over time each job receives its share of each kind. The pair of a job
// and a kind that received least of its share comes first (share over the part of the kind's time
// it got), then by what it is owed, then by share. Devices that are left then go as Spare says. A
// job runs on one kind a round, so over several kinds times follow shares only nearly. One owner,
// no clock.
class Rounds {
  public:
    // Received times are forgotten when shares change, but not more often than this.
    static constexpr Duration kForgetAfter = 1920s;

    explicit Rounds(Spare spare = Spare::to_the_fastest) : spare_(spare) {}

    // New shares for the jobs there are now; `numbers` stands beside problem.jobs. Jobs that are
    // not named any more are forgotten.
    void set(const Problem& problem, const std::vector<JobNumber>& numbers, const Shares& shares);
    // Replaces what has been counted of a job, in seconds of each kind, over `counted_s` under the
    // shares it has now.
    void count(JobNumber job, const std::vector<double>& received, double counted_s);
    // Who runs in the coming round; counts it as received.
    std::vector<Grant> next();
    // Σ over past rounds of share × round − received, seconds; for tests.
    double owed_s(JobNumber job, std::size_t kind) const { return states_.at(job).owed[kind]; }

  private:
    struct State {
        std::int64_t devices = 1;
        std::vector<double> share;
        std::vector<double> fitness;   // rate over the job's best; 0: cannot run there
        std::vector<double> received;  // seconds since times were forgotten
        std::vector<double> owed;
    };
    struct Pair;
    std::vector<Pair> ordered() const;

    Spare spare_;
    std::vector<std::int64_t> devices_;  // of each kind
    std::vector<double> time_;           // received by all on each kind, seconds
    std::map<JobNumber, State> states_;
    double since_forgotten_s_ = 0;
};

}  // namespace penstock::timeshare
