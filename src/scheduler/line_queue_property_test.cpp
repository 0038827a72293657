// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "scheduler/line_queue.h"

namespace penstock::scheduler {
namespace {

const Time kNow{std::chrono::hours(1000)};

// An engine with so many places, each of which works on one line to its end.
struct Simulation {
    LineQueue queue;
    std::vector<LineDemand> demands;
    std::size_t places = 1;
    Time now = kNow;
    std::multimap<Time, std::size_t> running;
    std::vector<std::optional<Time>> ended;
    std::vector<std::size_t> given;  // demands, in order

    // Until nothing is left or `until`.
    void run(Time until = Time::max()) {
        ended.resize(demands.size());
        while (now < until) {
            LineQueue::Turn turn(queue, "m", demands, static_cast<double>(places), now);
            while (running.size() < places) {
                const auto grant = turn.next([](std::size_t) { return true; });
                if (!grant) break;
                LineDemand& demand = demands[grant->demand];
                --demand.waiting;
                running.emplace(now + demand.line_time, grant->demand);
                given.push_back(grant->demand);
            }
            if (running.empty()) return;
            now = running.begin()->first;
            while (!running.empty() && running.begin()->first == now) {
                const std::size_t at = running.begin()->second;
                running.erase(running.begin());
                if (--demands[at].left == 0) ended[at] = now;
            }
        }
    }
};

std::vector<LineDemand> demands_of_several(std::uint64_t projects) {
    std::vector<LineDemand> demands;
    const auto count = *rc::gen::inRange<std::uint64_t>(1, 9);
    for (std::uint64_t batch = 1; batch <= count; ++batch) {
        const auto project = *rc::gen::inRange<std::uint64_t>(1, projects + 1);
        const auto lines = *rc::gen::inRange<std::int64_t>(1, 200);
        demands.push_back(
            {.batch = BatchId(RawId{1, batch}),
             .tenant = {OrganisationId(RawId{1, project % 2 + 1}), ProjectId(RawId{2, project})},
             .waiting = lines,
             .left = lines,
             .line_time = std::chrono::seconds(*rc::gen::inRange(1, 6))}
        );
    }
    return demands;
}

// Deadlines that going by deadline alone meets on kDeadlinePart of the places are met, whoever they
// are of and however many share.
RC_GTEST_PROP(LineQueueProperty, AFeasibleSetOfDeadlinesIsMet, ()) {
    Simulation simulation{.demands = demands_of_several(5)};
    simulation.places = *rc::gen::inRange<std::size_t>(1, 5);
    const auto places = static_cast<double>(simulation.places);
    double work = 0;
    double longest = 0;
    for (const LineDemand& demand : simulation.demands)
        longest = std::max(longest, to_seconds(demand.line_time));
    for (LineDemand& demand : simulation.demands) {
        work += work_of(demand);
        const double spare = *rc::gen::inRange(0, 3) * work / 2;
        const double needed = work / (places * kDeadlinePart) + 2 * longest / kDeadlinePart;
        demand.expires_at = kNow + Duration(static_cast<std::int64_t>((needed + spare) * 1e6));
    }
    // In time by deadline: no later one may ask for less time than an earlier one left.
    simulation.run();
    for (std::size_t at = 0; at < simulation.demands.size(); ++at) {
        RC_ASSERT(simulation.ended[at].has_value());
        RC_ASSERT(*simulation.ended[at] <= simulation.demands[at].expires_at);
    }
}

// Whatever deadlines there are, met or not: a project that asks gets its share of the eighth.
RC_GTEST_PROP(LineQueueProperty, NoProjectStarves, ()) {
    Simulation simulation{.demands = demands_of_several(4)};
    for (LineDemand& demand : simulation.demands) {
        demand.waiting = demand.left = 10'000;
        demand.expires_at = kNow + std::chrono::minutes(*rc::gen::inRange(1, 1000));
    }
    simulation.places = *rc::gen::inRange<std::size_t>(1, 5);
    const auto weights =
        *rc::gen::container<std::vector<std::int64_t>>(4, rc::gen::inRange<std::int64_t>(1, 5));
    std::set<Tenant> projects;
    for (const LineDemand& demand : simulation.demands) {
        projects.insert(demand.tenant);
        simulation.queue.set_weights(
            demand.tenant, 1, weights[static_cast<std::size_t>(demand.tenant.project.raw().low) - 1]
        );
    }
    constexpr Duration kSpan = 20min;
    simulation.run(kNow + kSpan);
    std::map<Tenant, double> had;
    for (const std::size_t at : simulation.given)
        had[simulation.demands[at].tenant] += to_seconds(simulation.demands[at].line_time);
    std::set<OrganisationId> organisations;
    for (const Tenant& one : projects) organisations.insert(one.organisation);
    for (const Tenant& one : projects) {
        double weights_of_all = 0;
        for (const Tenant& other : projects)
            if (other.organisation == one.organisation)
                weights_of_all += static_cast<double>(simulation.queue.shares.weight_of(other));
        const double share = static_cast<double>(simulation.queue.shares.weight_of(one)) /
                             weights_of_all / static_cast<double>(organisations.size());
        const double due = (1 - kDeadlinePart) * share * static_cast<double>(simulation.places) *
                           to_seconds(kSpan);
        RC_ASSERT(had[one] >= due - 30);  // of the last turn
    }
}

// Nothing is left lying while there are places.
RC_GTEST_PROP(LineQueueProperty, NoPlaceIsIdleWhileALineWaits, ()) {
    Simulation simulation{.demands = demands_of_several(4)};
    double work = 0;
    for (LineDemand& demand : simulation.demands) {
        work += work_of(demand);
        demand.expires_at = kNow + std::chrono::minutes(*rc::gen::inRange(1, 100));
    }
    simulation.run();
    RC_ASSERT(to_seconds(simulation.now - kNow) == work);
}

}  // namespace
}  // namespace penstock::scheduler
