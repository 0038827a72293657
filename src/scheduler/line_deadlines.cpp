// SPDX-License-Identifier: Apache-2.0
#include "scheduler/line_deadlines.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace penstock::scheduler {
namespace {

// Positions of demands, the first deadline first.
std::vector<std::size_t> by_deadline(const std::vector<LineDemand>& demands) {
    std::vector<std::size_t> order(demands.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t at) {
        return std::pair(demands[at].expires_at, demands[at].batch);
    });
    return order;
}

// Those that can be in time together, and their work; the largest number of them, where every
// project has one.
class Promised {
  public:
    explicit Promised(const std::vector<LineDemand>& demands) : demands_(demands) {}
    void add(std::size_t at) {
        Project& project = of_[demands_[at].tenant];
        project.batches.push_back(at);
        project.asked += work_of(demands_[at]);
        work_ += work_of(demands_[at]);
    }
    double work() const { return work_; }
    // The largest batch of the project that asked for most. What a project gave up counts: many
    // small batches are as much as a large one.
    std::size_t give_up() {
        const auto most = std::ranges::max_element(of_, {}, [](const auto& entry) {
            return entry.second.batches.empty() ? -1 : entry.second.asked;
        });
        std::vector<std::size_t>& batches = most->second.batches;
        const auto largest = std::ranges::max_element(batches, {}, [&](std::size_t at) {
            return work_of(demands_[at]);
        });
        const std::size_t at = *largest;
        batches.erase(largest);
        work_ -= work_of(demands_[at]);
        return at;
    }

  private:
    struct Project {
        std::vector<std::size_t> batches;
        double asked = 0;
    };
    const std::vector<LineDemand>& demands_;
    std::map<Tenant, Project> of_;
    double work_ = 0;
};

}  // namespace

double work_of(const LineDemand& demand) {
    return static_cast<double>(demand.left) * to_seconds(demand.line_time);
}

std::vector<LinePressure> pressure_of(
    const std::vector<LineDemand>& demands, double places, Time now
) {
    std::vector<LinePressure> pressures(demands.size(), LinePressure::none);
    const double rate = places * kDeadlinePart;
    if (rate <= 0) return pressures;
    const std::vector<std::size_t> order = by_deadline(demands);
    const auto time_left = [&](std::size_t at) {
        return std::max(0.0, to_seconds(demands[at].expires_at - now));
    };
    Promised promised(demands);
    double longest = 0;
    for (const LineDemand& demand : demands)
        longest = std::max(longest, to_seconds(demand.line_time));
    // Lines that run count whole, and are in the way; so is one that is due to shares alone.
    const double running = (places + 1) * longest;
    for (const std::size_t at : order) {
        promised.add(at);
        while (promised.work() > rate * time_left(at) + running && promised.work() > 0)
            pressures[promised.give_up()] = LinePressure::late;
    }
    double work = 0;
    for (std::size_t last = 0; last < order.size(); ++last) {
        const std::size_t at = order[last];
        if (pressures[at] == LinePressure::late || demands[at].left == 0) continue;
        work += work_of(demands[at]);
        const double slack = rate * time_left(at) - work;
        if (slack > kSlackMin * rate * time_left(at) + running) continue;
        for (std::size_t i = 0; i <= last; ++i)
            if (pressures[order[i]] != LinePressure::late)
                pressures[order[i]] = LinePressure::pressed;
        break;
    }
    return pressures;
}

}  // namespace penstock::scheduler
