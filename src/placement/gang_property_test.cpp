// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "placement/gang.h"
#include "placement/placement_fixture.h"
#include "placement/policies.h"
#include "placement/preemption.h"

namespace penstock::placement {
namespace {

Placer half_full(std::vector<Node> nodes, const std::vector<Request>& requests) {
    const PolicyInputs inputs{.workload = target_workload(requests), .models = kTestModels};
    Placer placer(std::move(nodes), make_policy("fgd", inputs).value());
    for (const Request& request : requests) placer.place(placer.intern(request).value());
    return placer;
}

RC_GTEST_PROP(GangProperty, IsPlacedWholeOrNotAtAll, ()) {
    Placer placer = half_full(any_nodes(30), any_requests(1, 40));
    const Topology topology(placer.nodes());
    const std::vector<Node> before = placer.nodes();
    const Request request = *any_request();
    const Gang gang{.shape = placer.intern(request).value(), .count = *rc::gen::inRange(1, 40)};
    std::int64_t room = 0;
    for (const Node& node : before) room += capacity(node, request);

    const auto placed = place_gang(placer, topology, gang);

    RC_ASSERT(placed.has_value() == (room >= gang.count));
    if (placed) {
        RC_ASSERT(placed->tasks.size() == static_cast<std::size_t>(gang.count));
        for (const Placement& task : placed->tasks) placer.release(task);
    }
    RC_ASSERT(placer.nodes() == before);
}

RC_GTEST_PROP(GangProperty, ARolledBackTransactionRestoresStateAndDecisions, ()) {
    const std::vector<Request> requests = any_requests(2, 40);
    Placer placer = half_full(any_nodes(30), requests);
    const std::vector<Node> before = placer.nodes();
    const ShapeId probe = placer.intern(requests.front()).value();
    const auto decision = placer.find(probe);
    {
        Transaction transaction(placer);
        for (const Request& request : requests)
            if (const auto found = placer.find(placer.intern(request).value()))
                transaction.take(*found);
    }

    RC_ASSERT(placer.nodes() == before);
    RC_ASSERT(placer.find(probe) == decision);
}

RC_GTEST_PROP(PreemptionProperty, StopsOnlyLowerPrioritiesAndPlacesTheWholeGang, ()) {
    const std::vector<Request> requests = any_requests(2, 60);
    const PolicyInputs inputs{.workload = target_workload(requests), .models = kTestModels};
    const FragmentationMeter meter(inputs.workload, kTestModels);
    Placer placer(any_nodes(12), make_policy("fgd", inputs).value());
    Residents residents(placer.nodes().size());
    for (const Request& request : requests)
        if (const auto found = placer.place(placer.intern(request).value()))
            residents.add({*found, *rc::gen::inRange(0, 4), *rc::gen::inRange(0, 100)});
    const Topology topology(placer.nodes());
    const std::vector<Node> before = placer.nodes();
    const Gang gang{
        .shape = placer.intern(*any_request()).value(), .count = *rc::gen::inRange(1, 20)
    };

    const auto result = preempt(placer, topology, residents, gang, 2, meter);

    if (result) {
        RC_ASSERT(result->tasks.size() == static_cast<std::size_t>(gang.count));
        for (const Placement& task : result->tasks) placer.release(task);
        for (const ResidentId victim : result->victims) {
            RC_ASSERT(residents.at(victim).priority < 2);
            placer.take(residents.at(victim).placement);
        }
    }
    RC_ASSERT(placer.nodes() == before);
}

}  // namespace
}  // namespace penstock::placement
