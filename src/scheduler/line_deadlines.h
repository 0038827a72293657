// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "model/batch.h"
#include "scheduler/fair_queue.h"

// Which batches of one model can be done in time, and whose lines have to go first for it.
namespace penstock::scheduler {

// One batch whose lines are not over.
struct LineDemand {
    BatchId batch;
    Tenant tenant;
    std::int64_t waiting = 0;  // lines that may be given now
    std::int64_t left = 0;     // that have not ended: those that run included
    Duration line_time{};      // that one takes a place at an endpoint, as measured
    Time expires_at;
    bool operator==(const LineDemand&) const = default;
};
// Time at places of endpoints, all lines together.
double work_of(const LineDemand& demand);

enum class LinePressure : std::uint8_t {
    none,     // shares alone end it in time
    pressed,  // its deadline, or one behind it, leaves no slack: before all that are not pressed
    late      // cannot be in time beside the others: shares alone
};

// Of so many places at one time, what deadlines may count on; the rest goes by shares alone, so
// that no project starves however pressed the others are.
constexpr double kDeadlinePart = 7.0 / 8;
// Slack, of the time that is left, from which on a deadline presses.
constexpr double kSlackMin = 0.1;

// Of each demand, in their order. Demands are looked at by deadline: where all up to one need more
// than `places` give until then, the project that asks for most of it gives up its largest
// batch (late). Of those that remain the first deadline without slack presses, and all before it
// with it: any of them may go first without any deadline being missed. Nothing is judged while
// there are no places.
std::vector<LinePressure> pressure_of(
    const std::vector<LineDemand>& demands, double places, Time now
);

}  // namespace penstock::scheduler
