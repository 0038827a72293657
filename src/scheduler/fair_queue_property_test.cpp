// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
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

    Scene() {
        SeededRandom random(static_cast<std::uint64_t>(within(1, 1'000'000)));
        IdSource ids(random);
        total = {within(10'000, 100'000), within(10'000, 100'000), within(0, 20'000)};
        const std::int64_t organisations = within(1, 5);
        for (std::int64_t i = 0; i < organisations; ++i) {
            const auto organisation = ids.next<OrganisationId>(kStart);
            for (std::int64_t p = within(1, 4); p > 0; --p)
                fill({.organisation = organisation, .project = ids.next<ProjectId>(kStart)});
        }
    }
    void fill(const Tenant& tenant) {
        const Amounts each{within(1, 4'000), within(1, 4'000), total[2] > 0 ? within(0, 2'000) : 0};
        for (std::int64_t i = within(0, 30); i > 0; --i)
            items.push_back({.tenant = tenant, .amounts = each});
    }
};

// The definition: adds up everything anew for every choice.
struct Naive {
    Scene scene;

    template <class Same>
    std::int64_t share(const Same& same) const {
        Amounts used{};
        for (const Item& item : scene.items)
            if (item.taken && same(item.tenant))
                for (std::size_t i = 0; i < used.size(); ++i) used.at(i) += item.amounts.at(i);
        return dominant_share(used, scene.total);
    }
    std::int64_t of(const OrganisationId& id) const {
        return share([&](const Tenant& tenant) { return tenant.organisation == id; });
    }
    std::int64_t of(const Tenant& wanted) const {
        return share([&](const Tenant& tenant) { return tenant == wanted; });
    }
    std::optional<std::size_t> next() const {
        std::optional<std::size_t> best;
        for (std::size_t i = 0; i < scene.items.size(); ++i) {
            if (scene.items[i].taken) continue;
            if (!best || rank(i) < rank(*best)) best = i;
        }
        return best;
    }
    std::tuple<std::int64_t, OrganisationId, std::int64_t, ProjectId, std::size_t> rank(
        std::size_t i
    ) const {
        const Tenant& tenant = scene.items[i].tenant;
        return {of(tenant.organisation), tenant.organisation, of(tenant), tenant.project, i};
    }
};

FairQueue queue_of(const Scene& scene) {
    FairQueue queue(scene.total);
    for (std::size_t i = 0; i < scene.items.size(); ++i) queue.add(scene.items[i].tenant, i);
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

// Max-min: whoever still waits has at least what any other had before the item it got last.
TEST(FairQueueProperty, NobodyWhoWaitsIsPassedByMoreThanOneItem) {
    EXPECT_TRUE(rc::check([] {
        Naive naive;
        FairQueue queue = queue_of(naive.scene);
        for (std::int64_t left = within(1, 60); left > 0; --left) {
            const std::optional<std::size_t> picked = queue.pop();
            if (!picked) return;
            Item& item = naive.scene.items[*picked];
            const std::int64_t before = naive.of(item.tenant.organisation);
            for (const Item& other : naive.scene.items)
                if (!other.taken) RC_ASSERT(naive.of(other.tenant.organisation) >= before);
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
