// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>

#include "base/time.h"
#include "model/plan.h"
#include "model/site.h"

namespace penstock::scheduler {

// What is held of one node and when, reservations to come included. A value, kept by the owner of
// the fleet; plan() reads it to find when a request first fits.
//
//     if (const auto start = calendar.earliest(request, now, 2h)) calendar.reserve(request, *start,
//     2h);
class Calendar {
  public:
    explicit Calendar(Capacity total) : total_(std::move(total)) {}

    bool fits(const ResourceRequest& request, Time from, Duration span) const;
    // The first start at or after `from` from which the request fits for the whole span; nullopt
    // where it is larger than the node.
    std::optional<Time> earliest(const ResourceRequest& request, Time from, Duration span) const;
    // The request has to fit.
    void reserve(const ResourceRequest& request, Time from, Duration span);
    // The same without asking whether there is room: where there is none, nothing fits beside it.
    void hold(const ResourceRequest& request, Time from, Duration span);
    // Drops what ended before `now`: nobody asks for the past.
    void forget_before(Time now);
    std::size_t steps() const { return held_.size(); }

  private:
    using Steps = std::map<Time, Capacity>;  // held from that time until the next
    Steps::const_iterator step_at(Time time) const;
    Steps::iterator split_at(Time time);
    bool room_beside(const Capacity& held, const ResourceRequest& request) const;

    Capacity total_;
    Steps held_;
};

}  // namespace penstock::scheduler
