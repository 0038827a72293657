// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "timeshare/rounds.h"

namespace penstock::timeshare {

// Where each job runs in one round, beside the problem's jobs; absent: nowhere.
using Places = std::vector<std::optional<std::size_t>>;

// One policy over many rounds. Holds what it has granted so far; one owner, no clock.
class Sharer {
  public:
    virtual ~Sharer() = default;
    // Places for the coming round, which it counts as received. `numbers` names the jobs over
    // rounds and `last` says where they ran in the round before; both stand beside problem.jobs.
    virtual Result<Places> next(
        const Problem& problem, const std::vector<JobNumber>& numbers, const Places& last
    ) = 0;
};

// What jobs received of each kind, in seconds beside the problem's jobs, and since when that
// counts.
struct Received {
    std::vector<std::vector<double>> seconds;
    double counted_s = 0;
};
// Places for one round as a Sharer chooses them that has counted so much; it counts nothing.
Result<Places> next_places(
    std::string_view policy, const Problem& problem, const Received& received, const Places& last
);

// The policies by the names of README.md, each with the baseline it is compared to before it.
std::vector<std::string_view> policy_names();
// Fails for a name that is none of them, and names them.
Result<std::unique_ptr<Sharer>> make_sharer(std::string_view policy);

}  // namespace penstock::timeshare
