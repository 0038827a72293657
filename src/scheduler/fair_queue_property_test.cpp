// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"
#include "scheduler/fair_queue.h"
#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

std::int64_t within(std::int64_t low, std::int64_t high) {
    return *rc::gen::resize(1'000, rc::gen::inRange<std::int64_t>(low, high));
}

struct Item {
    Tenant tenant;
    Amounts amounts;
    bool taken = false;
};

struct Scene {
    Amounts total{};
    std::vector<Item> items;
    std::map<OrganisationId, ComputeQuota> quotas;

    Scene() {
        SeededRandom random(static_cast<std::uint64_t>(within(1, 1'000'000)));
        IdSource ids(random);
        total = {
            .cpu_milli = within(10'000, 100'000),
            .memory_mib = within(10'000, 100'000),
            .devices_milli = within(0, 20'000)
        };
        const std::int64_t organisations = within(1, 5);
        for (std::int64_t i = 0; i < organisations; ++i) {
            const auto organisation = ids.next<OrganisationId>(kStart);
            quotas[organisation] = quota();
            for (std::int64_t p = within(1, 4); p > 0; --p)
                fill({.organisation = organisation, .project = ids.next<ProjectId>(kStart)});
        }
    }
    static ComputeQuota quota() {
        ComputeQuota quota{.weight = within(1, 5)};
        if (within(0, 3) == 0) quota.guaranteed.cpus = within(0, 20);
        return quota;
    }
    void fill(const Tenant& tenant) {
        const Amounts each{
            .cpu_milli = within(1, 4'000),
            .memory_mib = within(1, 4'000),
            .devices_milli = total.devices_milli > 0 ? within(0, 2'000) : 0
        };
        for (std::int64_t i = within(0, 30); i > 0; --i)
            items.push_back({.tenant = tenant, .amounts = each});
    }
};

// The definition: adds up everything anew for every choice.
struct Naive {
    Scene scene;

    template <class Same>
    Amounts used(const Same& same) const {
        Amounts used{};
        for (const Item& item : scene.items)
            if (item.taken && same(item.tenant)) used.add(item.amounts);
        return used;
    }
    std::pair<bool, std::int64_t> of(const OrganisationId& id, const Amounts& asked) const {
        const Amounts held = used([&](const Tenant& tenant) { return tenant.organisation == id; });
        const ComputeQuota& quota = scene.quotas.at(id);
        if (is_covered(quota, held, asked)) return {false, guarantee_share(quota, held)};
        return {true, dominant_share(held, scene.total) / quota.weight};
    }
    std::int64_t of(const Tenant& wanted) const {
        return dominant_share(
            used([&](const Tenant& tenant) { return tenant == wanted; }), scene.total
        );
    }
    bool is_first_of_project(std::size_t i) const {
        for (std::size_t before = 0; before < i; ++before)
            if (!scene.items[before].taken && scene.items[before].tenant == scene.items[i].tenant)
                return false;
        return true;
    }
    // The first item of the project that is first in its organisation.
    std::optional<std::size_t> next() const {
        std::map<OrganisationId, std::size_t> front;
        for (std::size_t i = 0; i < scene.items.size(); ++i) {
            if (scene.items[i].taken || !is_first_of_project(i)) continue;
            const Tenant& tenant = scene.items[i].tenant;
            const auto [kept, fresh] = front.emplace(tenant.organisation, i);
            if (!fresh && project_rank(i) < project_rank(kept->second)) kept->second = i;
        }
        std::optional<std::size_t> best;
        for (const auto& [organisation, i] : front)
            if (!best ||
                rank(organisation, i) < rank(scene.items[*best].tenant.organisation, *best))
                best = i;
        return best;
    }
    std::pair<std::int64_t, ProjectId> project_rank(std::size_t i) const {
        return {of(scene.items[i].tenant), scene.items[i].tenant.project};
    }
    std::pair<std::pair<bool, std::int64_t>, OrganisationId> rank(
        OrganisationId organisation, std::size_t i
    ) const {
        return {of(organisation, scene.items[i].amounts), organisation};
    }
};

FairQueue queue_of(const Scene& scene) {
    FairQueue queue(scene.total);
    for (const auto& [organisation, quota] : scene.quotas) queue.set_quota(organisation, quota);
    for (std::size_t i = 0; i < scene.items.size(); ++i)
        queue.add(scene.items[i].tenant, i, scene.items[i].amounts);
    return queue;
}

TEST(FairQueueProperty, TakesTheSameItemsAsTheDefinition) {
    EXPECT_TRUE(rc::check([] {
        Naive naive;
        FairQueue queue = queue_of(naive.scene);
        for (int picks = 0; picks < 40; ++picks) {
            const std::optional<std::size_t> picked = queue.pop();
            RC_ASSERT(picked == naive.next());
            if (!picked) return;
            Item& item = naive.scene.items[*picked];
            item.taken = true;
            queue.charge(item.tenant, item.amounts);
        }
    }));
}

// Max-min: whoever still waits has at least the weighted share that any other had before the item
// it got last.
TEST(FairQueueProperty, NobodyWhoWaitsIsPassedByMoreThanOneItem) {
    EXPECT_TRUE(rc::check([] {
        Naive naive;
        for (auto& [organisation, quota] : naive.scene.quotas) quota.guaranteed = {};
        FairQueue queue = queue_of(naive.scene);
        for (std::int64_t left = within(1, 60); left > 0; --left) {
            const std::optional<std::size_t> picked = queue.pop();
            if (!picked) return;
            Item& item = naive.scene.items[*picked];
            const auto before = naive.of(item.tenant.organisation, item.amounts);
            for (const Item& other : naive.scene.items)
                if (!other.taken)
                    RC_ASSERT(naive.of(other.tenant.organisation, other.amounts) >= before);
            item.taken = true;
            queue.charge(item.tenant, item.amounts);
        }
    }));
}

// What cannot be placed costs its owner nothing and stops nobody.
TEST(FairQueueProperty, EveryItemComesOnceEvenWhereNoneIsPlaced) {
    EXPECT_TRUE(rc::check([] {
        const Scene scene;
        FairQueue queue = queue_of(scene);
        std::vector<std::size_t> seen;
        while (const auto picked = queue.pop()) seen.push_back(*picked);
        std::ranges::sort(seen);
        RC_ASSERT(seen.size() == scene.items.size());
        for (std::size_t i = 0; i < seen.size(); ++i) RC_ASSERT(seen[i] == i);
    }));
}

}  // namespace
}  // namespace penstock::scheduler
