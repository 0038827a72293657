// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <functional>

#include "scheduler/queue_fixture.h"
#include "scheduler/queue_round.h"

namespace penstock::scheduler {
namespace {

std::int64_t within(std::int64_t low, std::int64_t high) {
    return *rc::gen::resize(1'000, rc::gen::inRange<std::int64_t>(low, high));
}

struct Options {
    bool preemptible = true;
    bool unknown = true;
    bool quotas = true;
};

std::vector<Capacity> some_machines() {
    std::vector<Capacity> machines;
    for (std::int64_t i = within(1, 5); i > 0; --i)
        machines.push_back(machine(within(4, 33), within(0, 9)));
    return machines;
}

void set_quotas(Court& court, const Options& options) {
    for (std::size_t organisation = 0; options.quotas && organisation < 3; ++organisation) {
        ComputeQuota quota{.weight = within(1, 4)};
        if (within(0, 2) == 0) quota.limit.cpus = within(1, 40);
        if (within(0, 2) == 0) quota.limit.devices["H100"] = within(0, 9);
        if (within(0, 2) == 0) quota.guaranteed.cpus = within(0, quota.limit.cpus.value_or(20) + 1);
        court.set_quota(organisation, quota);
    }
}

void submit_some(Court& court, const Options& options) {
    for (std::int64_t i = within(0, 6); i > 0; --i) {
        const Tenant tenant = court.tenant(
            static_cast<std::size_t>(within(0, 3)), static_cast<std::size_t>(within(0, 2))
        );
        const std::size_t job = court.submit(
            tenant, devices(within(0, 3) == 0 ? within(1, 9) : 0, within(1, 9)),
            std::chrono::minutes(within(1, 300)), within(0, 3)
        );
        if (within(0, 4) == 0) court.jobs[job].make_gang(within(2, 5));
        court.jobs[job].item.spot = options.preemptible && within(0, 4) == 0;
        court.jobs[job].preemptible = options.preemptible && within(0, 2) == 0;
        if (!options.unknown || within(0, 3) != 0) continue;
        court.jobs[job].knows_its_end = false;
        court.jobs[job].item.at_most.reset();
    }
}

// Plays a random scene and calls `check` after every round.
void play(Court& court, const Options& options, const std::function<void()>& check) {
    set_quotas(court, options);
    for (int step = 0; step < 25; ++step) {
        submit_some(court, options);
        court.round();
        check();
        court.advance();
    }
}

bool is_overfull(const Court& court) {
    return std::ranges::any_of(court.jobs, [&](const Court::Job& job) {
        return (job.node && !holds(court.free(*job.node), {})) ||
               (job.node && std::ranges::any_of(job.others, [&](NodeId other) {
                    return !holds(court.free(other), {});
                }));
    });
}

TEST(QueueRoundProperty, NoNodeEverHoldsMoreThanItHas) {
    EXPECT_TRUE(rc::check([] {
        Court court(some_machines());
        play(court, {}, [&] { RC_ASSERT(!is_overfull(court)); });
    }));
}

// What was told to leave still runs for a moment, beside what its tenant may hold.
TEST(QueueRoundProperty, NoTenantEverPassesItsLimit) {
    EXPECT_TRUE(rc::check([] {
        Court court(some_machines());
        play(court, {.preemptible = false}, [&] {
            for (const Court::Job& job : court.jobs)
                if (job.node) RC_ASSERT(court.within_limits(job.item.tenant));
        });
    }));
}

TEST(QueueRoundProperty, NobodyLeavesForLessThanItself) {
    EXPECT_TRUE(rc::check([] {
        Court court(some_machines());
        play(court, {}, [&] {
            for (const auto& [asker, victim] : court.notices) {
                const Court::Job& left = court.jobs[victim];
                const Court::Job& came = court.jobs[asker];
                RC_ASSERT(left.preemptible || left.item.spot);
                if (left.item.tenant == came.item.tenant)
                    RC_ASSERT(left.item.priority <= came.item.priority);
                if (came.item.spot) RC_ASSERT(left.item.spot);
            }
        });
    }));
}

TEST(QueueRoundProperty, APromiseIsNeverDelayedWhereAllRunTimesAreExact) {
    EXPECT_TRUE(rc::check([] {
        const Options exact{.preemptible = false, .unknown = false, .quotas = false};
        Court court(some_machines());
        std::map<WorkId, Time> promised;
        play(court, exact, [&] {
            for (const Reservation& promise : court.promises.all()) {
                RC_ASSERT(promise.start.has_value());
                const Time start = *promise.start;
                const auto [first, fresh] = promised.emplace(promise.work, start);
                RC_ASSERT(start <= first->second);
                first->second = start;
            }
            for (const auto& [work, start] : promised) {
                const std::optional<Time> began = court.jobs[work - 1].first_started;
                const bool kept = began ? *began <= start : court.now <= start;
                RC_ASSERT(kept);
            }
        });
    }));
}

TEST(QueueRoundProperty, AGuaranteeIsReachedHoweverMuchWasLent) {
    EXPECT_TRUE(rc::check([] {
        const std::int64_t guaranteed = within(1, 17);
        Court court({machine(8), machine(8)});
        ComputeQuota quota;
        quota.guaranteed.cpus = guaranteed;
        court.set_quota(1, quota);
        for (std::int64_t i = 0; i < 16; ++i) {
            const auto tenant = court.tenant(within(0, 2) == 0 ? 0 : 2);
            court.jobs[court.submit(tenant, cpus(1), 100h)].preemptible = true;
        }
        court.round();
        for (std::int64_t i = 0; i < 16; ++i) court.submit(court.tenant(1), cpus(1), 100h);
        for (int i = 0; i < 16; ++i) {
            court.round();
            court.advance_by(kPreemptionGrace);
        }

        RC_ASSERT(court.queue().used(court.tenant(1)).cpu_milli >= guaranteed * 1000);
    }));
}

}  // namespace
}  // namespace penstock::scheduler
