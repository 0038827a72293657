// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "placement/placement_fixture.h"
#include "placement/placer.h"
#include "placement/policies.h"

namespace penstock::placement {
namespace {

std::unique_ptr<Policy> policy_of(std::string_view name, const std::vector<Request>& requests) {
    const PolicyInputs inputs{
        .workload = target_workload(requests),
        .models = kTestModels,
        .seed = 1,
        .power = PowerTable(
            kTestModels, {.device_idle = 20,
                          .device_full = 250,
                          .socket_idle = 15,
                          .socket_full = 120,
                          .cores_per_socket = 4}
        )
    };
    return make_policy(name, inputs).value();
}

rc::Gen<std::string_view> any_policy() { return rc::gen::elementOf(policy_names()); }

// The best node by a scan over all of them, scored anew.
std::optional<Placement> find_by_scan(const Placer& placer, const Policy& policy, ShapeId shape) {
    std::optional<Placement> best;
    Score best_score = -1;
    const Request& request = placer.request(shape);
    for (NodeIndex i = 0; i < placer.nodes().size(); ++i) {
        if (!is_fit(judge(placer.nodes()[i], request))) continue;
        const Choice choice = policy.choose(i, placer.nodes()[i], request);
        if (choice.score <= best_score) continue;
        best_score = choice.score;
        best = Placement{shape, i, choice.devices};
    }
    return best;
}

void check_no_node_is_oversubscribed(const Placer& placer, const std::vector<Placement>& running) {
    for (NodeIndex i = 0; i < placer.nodes().size(); ++i) {
        const Node& node = placer.nodes()[i];
        std::int64_t cpu = node.cpu_free;
        std::int64_t memory = node.memory_free;
        std::array<int, kDevicesPerNodeMax> milli{};
        for (std::size_t g = 0; g < milli.size(); ++g) milli[g] = node.free[g];
        for (const Placement& placement : running) {
            if (placement.node != i) continue;
            const Request& request = placer.request(placement.shape);
            cpu += request.cpu_milli;
            if (node.memory_total != kMemoryUnknown) memory += request.memory_mib;
            for (std::size_t g = 0; g < milli.size(); ++g)
                if (((placement.devices >> g) & 1U) != 0) milli[g] += request.device_milli;
        }
        RC_ASSERT(node.cpu_free >= 0 && cpu == node.cpu_total);
        RC_ASSERT(node.memory_free >= 0 && memory == node.memory_total);
        for (int g = 0; g < kDevicesPerNodeMax; ++g)
            RC_ASSERT(milli[static_cast<std::size_t>(g)] == (g < node.devices ? kWholeDevice : 0));
    }
}

RC_GTEST_PROP(PlacerProperty, DecidesAsAScanOverFreshScores, ()) {
    const std::vector<Request> requests = any_requests(1, 8);
    const std::string_view name = *any_policy();
    Placer placer(any_nodes(80), policy_of(name, requests));
    RC_PRE(!placer.draws());
    std::vector<Placement> running;
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1000));
    for (const int step : steps) {
        if (step % 4 == 0 && !running.empty()) {
            std::swap(running[static_cast<std::size_t>(step) % running.size()], running.back());
            placer.release(running.back());
            running.pop_back();
            continue;
        }
        const Request& request = requests[static_cast<std::size_t>(step) % requests.size()];
        const ShapeId shape = placer.intern(request).value();

        const auto expected = find_by_scan(placer, placer.policy(), shape);
        const auto found = placer.place(shape);

        RC_ASSERT(found == expected);
        if (found) running.push_back(*found);
    }
    check_no_node_is_oversubscribed(placer, running);
}

RC_GTEST_PROP(PlacerProperty, ReleasingEverythingRestoresTheExactState, ()) {
    const std::vector<Request> requests = any_requests(1, 40);
    const std::vector<Node> nodes = any_nodes(40);
    Placer placer(nodes, policy_of(*any_policy(), requests));
    std::vector<Placement> running;
    for (const Request& request : requests)
        if (const auto found = placer.place(placer.intern(request).value()))
            running.push_back(*found);
    check_no_node_is_oversubscribed(placer, running);
    for (const Placement& placement : running) placer.release(placement);

    RC_ASSERT(placer.nodes() == nodes);
}

RC_GTEST_PROP(PlacerProperty, VerdictsCountEveryNodeAsItIs, ()) {
    const std::vector<Request> requests = any_requests(1, 20);
    Placer placer(any_nodes(40), policy_of("fgd", requests));
    for (const Request& request : requests) {
        const ShapeId shape = placer.intern(request).value();
        placer.place(shape);

        VerdictCounts expected{};
        for (const Node& node : placer.nodes())
            ++expected[static_cast<std::size_t>(judge(node, request))];
        RC_ASSERT(placer.verdicts(shape) == expected);
    }
}

RC_GTEST_PROP(PlacerProperty, TheOrderInWhichShapesBecomeKnownDoesNotMatter, ()) {
    const std::vector<Request> requests = any_requests(1, 30);
    const std::vector<Node> nodes = any_nodes(40);
    Placer late(nodes, policy_of("fgd", requests));
    Placer early(nodes, policy_of("fgd", requests));
    for (auto request = requests.rbegin(); request != requests.rend(); ++request)
        RC_ASSERT(early.intern(*request).has_value());
    for (const Request& request : requests) {
        const auto one = late.place(late.intern(request).value());
        const auto other = early.place(early.intern(request).value());

        RC_ASSERT(one.has_value() == other.has_value());
        if (one && other) RC_ASSERT(one->node == other->node && one->devices == other->devices);
    }
}

}  // namespace
}  // namespace penstock::placement
