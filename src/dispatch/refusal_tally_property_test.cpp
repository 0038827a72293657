// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "dispatch/refusal_tally.h"

namespace penstock::dispatch {
namespace {

using Nodes = std::vector<std::optional<NodeRefusal>>;

std::optional<NodeRefusal> any_node() {
    if (*rc::gen::inRange(0, 3) == 0) return std::nullopt;
    return NodeRefusal{
        {*rc::gen::arbitrary<bool>(),
         *rc::gen::elementOf(std::vector{
             placement::Verdict::lacks_cpu, placement::Verdict::lacks_devices,
             placement::Verdict::closed
         }),
         *rc::gen::elementOf(std::vector{Closed::open, Closed::cordoned})},
        *rc::gen::inRange(0, 4)
    };
}

struct Expected {
    std::size_t nearest = 0;
    std::int64_t nearness = -1;
    std::int64_t nodes = 0;
};
std::map<RefusalKind, Expected> walked(const Nodes& nodes) {
    std::map<RefusalKind, Expected> kinds;
    for (std::size_t at = 0; at < nodes.size(); ++at) {
        if (!nodes[at]) continue;
        Expected& kind = kinds[nodes[at]->kind];
        ++kind.nodes;
        if (nodes[at]->nearness > kind.nearness) kind = {at, nodes[at]->nearness, kind.nodes};
    }
    return kinds;
}

TEST(RefusalTallyProperty, CountsAsAWalkOverAllNodesAfterAnyChanges) {
    EXPECT_TRUE(rc::check([] {
        Nodes nodes(static_cast<std::size_t>(*rc::gen::inRange(0, 400)));
        BlockChanges changes;
        changes.reset(nodes.size());
        RefusalTally tally;
        for (int round = 0; round < 8; ++round) {
            const int count = nodes.empty() ? 0 : *rc::gen::inRange(0, 40);
            for (int i = 0; i < count; ++i) {
                const std::size_t at = *rc::gen::inRange<std::size_t>(0, nodes.size());
                nodes[at] = any_node();
                changes.changed(at);
            }
            tally.update(changes, [&](std::size_t at) { return nodes[at]; });

            const std::map<RefusalKind, Expected> expected = walked(nodes);
            RC_ASSERT(tally.kinds().size() == expected.size());
            auto kind = tally.kinds().begin();
            for (const auto& [key, value] : expected) {
                RC_ASSERT(kind->kind == key);
                RC_ASSERT(kind->nodes == value.nodes);
                RC_ASSERT(kind->nearest == value.nearest);
                RC_ASSERT(kind->nearness == value.nearness);
                ++kind;
            }
        }
    }));
}

TEST(RefusalTallyProperty, JudgesOnlyBlocksThatChanged) {
    const std::size_t nodes = 10 * kRefusalBlock;
    BlockChanges changes;
    changes.reset(nodes);
    RefusalTally tally;
    std::size_t judged = 0;
    const auto judge = [&](std::size_t) {
        ++judged;
        return NodeRefusal{};
    };

    EXPECT_TRUE(tally.update(changes, judge));
    EXPECT_EQ(judged, nodes);
    EXPECT_FALSE(tally.update(changes, judge));
    changes.changed(3 * kRefusalBlock);
    changes.changed(4 * kRefusalBlock - 1);
    EXPECT_TRUE(tally.update(changes, judge));
    EXPECT_EQ(judged, nodes + kRefusalBlock);
}

}  // namespace
}  // namespace penstock::dispatch
