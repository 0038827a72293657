// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "scheduler/alike_supplies.h"
#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

int below(int bound) { return *rc::gen::resize(1'000, rc::gen::inRange(0, bound)); }

// Three sites with nodes of few shapes, some of which differ in a single thing.
struct Fleet : Cluster {
    std::vector<Node> many;

    Fleet() {
        spec.resources.cpus = CpuRange{{1000 * (1 + below(3)), 4000}};
        if (below(2) == 0)
            spec.resources.accelerators = Accelerators{
                .choices = {{"H100", 1000 * (1 + below(4))}, {"910B", 1000 * (1 + below(4))}}
            };
        if (below(2) == 0) spec.placement->topology = TopologySpec{.pack = "domain"};
        spec.placement->optimize = Strategy{.cost = 0.5, .green = 0.5};
        for (Site& site : sites) {
            site.spec.prices.card_second["H100"] = *parse_price("0.001");
            site.spec.prices.card_second["910B"] = *parse_price("0.0005");
        }
        const int count = 1 + below(40);
        for (int i = 0; i < count; ++i) many.push_back(a_node(i));
    }

    Node a_node(int number) {
        Node node = nodes[static_cast<std::size_t>(below(3))];
        node.id = ids.next<NodeId>(kStart);
        node.name = "n" + std::to_string(number);
        node.total.cpu_milli = 1000 * (1 + below(3));
        if (below(4) == 0) node.enforces = {"cpu"};
        if (below(8) == 0) node.health = Health::failed;
        if (below(8) == 0) node.cordoned = true;
        const std::string model = below(2) == 0 ? "H100" : "910B";
        const int devices = 1 + below(4);
        const int domain = 1 + below(2);
        for (int d = 0; d < devices; ++d) {
            node.total.accelerator_milli[model] += 1000;
            node.devices.push_back(
                {.index = d, .model = model, .link_domain = d / domain, .health = Health::ok}
            );
        }
        return node;
    }

    Input input() {
        Input input{
            .spec = spec,
            .spec_sha256 = "",
            .supplies = {},
            .avoid = {},
            .profile = profile,
            .budget_left = {},
            .now = kStart,
            .at_once = true
        };
        for (const Node& node : many) {
            const auto site = std::ranges::find(sites, node.site_id, &Site::id);
            input.supplies.push_back({&*site, &node, node.total});
        }
        return input;
    }
};

using Known = std::tuple<NodeId, std::string, std::int64_t>;
Known known(NodeId node, const ResourceRequest& request) {
    const Accelerator none;
    const Accelerator& asked = request.accelerator ? *request.accelerator : none;
    return {node, asked.model, asked.count_milli};
}

TEST(AlikeSuppliesProperty, StandForTheSamePlacesAsEachNodeForItself) {
    int found = 0;
    EXPECT_TRUE(rc::check([&] {
        Fleet fleet;
        std::map<Known, double> alone;
        for (const Candidate& each : plan(fleet.input()).candidates)
            if (each.filter == FilterReason::none)
                alone.emplace(known(each.node_id, each.request), *each.score);

        const std::vector<Place> places = suited_places(fleet.input());
        RC_ASSERT(places.size() == alone.size());
        double last = 0;
        for (const Place& place : places) {
            const auto at = alone.find(known(place.node, place.request));
            RC_ASSERT(at != alone.end());
            RC_ASSERT(at->second >= last);
            last = at->second;
        }
        found += static_cast<int>(places.size());
    }));
    EXPECT_GT(found, 100);
}

TEST(AlikeSuppliesProperty, EveryNodeIsInOneGroupAndThoseApartAreAlone) {
    EXPECT_TRUE(rc::check([] {
        Fleet fleet;
        const std::vector<Supply> supplies = fleet.input().supplies;
        std::vector<NodeId> apart;
        for (const Node& node : fleet.many)
            if (below(4) == 0) apart.push_back(node.id);
        std::ranges::sort(apart);
        std::set<NodeId> seen;
        for (const AlikeSupplies& group : alike_supplies(supplies, fleet.spec, apart)) {
            RC_ASSERT(group.shown.node == group.nodes.front());
            RC_ASSERT(group.shown.alike == std::ssize(group.nodes) - 1);
            for (const Node* node : group.nodes) {
                RC_ASSERT(seen.insert(node->id).second);
                RC_ASSERT(node->site_id == group.shown.site->id);
                if (std::ranges::binary_search(apart, node->id)) RC_ASSERT(group.nodes.size() == 1);
            }
        }
        RC_ASSERT(seen.size() == supplies.size());
    }));
}

}  // namespace
}  // namespace penstock::scheduler
