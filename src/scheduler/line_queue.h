// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheduler/line_deadlines.h"
#include "scheduler/line_shares.h"

// Whose line is next in idle capacity.
namespace penstock::scheduler {

struct LineGrant {
    std::size_t demand = 0;  // its position
    // Because of its deadline; else by shares.
    bool pressed = false;
};

// The queue of lines of batches, beside the queue of tasks and with its weights. Where no deadline
// presses, lines go by shares of projects, and within a project to the batch with the earliest
// deadline. Where one does, only the pressed batches have a turn, by shares among themselves. One
// part in eight of the time always goes by shares of that part alone, whatever a project or its
// organisation had otherwise. So:
// - deadlines that can all be met on kDeadlinePart of the capacity, and that nothing is added to,
//   are met;
// - no project starves: it gets its share of an eighth at least, whatever the others' deadlines
// are. Pure; one owner.
class LineQueue {
  public:
    LineShares shares;
    // Both weights of those that ask; all others have 1.
    void set_weights(const Tenant& tenant, std::int64_t organisation, std::int64_t project);

    // `accept` says whether a line of the demand can be given now; what it refuses is passed over
    // until the end of the turn, and nothing is charged.
    class Turn {
      public:
        using Accept = std::function<bool(std::size_t demand)>;
        // Lines of one model; `places` is how many run at one time on an average, now and of late.
        Turn(
            LineQueue& queue, std::string model, std::vector<LineDemand> demands, double places,
            Time now
        );
        std::optional<LineGrant> next(const Accept& accept);
        LinePressure pressure(std::size_t demand) const { return pressures_[demand]; }

      private:
        std::optional<std::size_t> choose(const LineShares& by, bool pressed, const Accept& accept);
        std::optional<std::size_t> first_of(const Tenant& tenant, bool pressed) const;
        std::set<Tenant> asking(bool pressed) const;

        LineQueue& queue_;
        std::string model_;
        std::vector<LineDemand> demands_;
        std::vector<LinePressure> pressures_;
        std::set<std::size_t> refused_;
    };

    // No batch is for any other model.
    void keep_only(const std::set<std::string>& models);

  private:
    LineShares floor_;                      // of the part that goes by shares alone
    std::map<std::string, Duration> owed_;  // by model: to that part
};

// When each demand ends, if nothing comes and `places` stay: the turns played forward. Nothing of
// any while there are no places.
constexpr std::size_t kForecastStepsMax = 128;
std::vector<std::optional<Time>> expected_ends(
    std::vector<LineDemand> demands, const LineShares& shares, double places, Time now
);

}  // namespace penstock::scheduler
