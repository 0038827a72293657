// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "placement/placement_fixture.h"

namespace penstock::placement {
namespace {

// The definition, word for word: all that is free where the shape cannot run, else what lies on
// devices with less than it asks.
std::int64_t fragment_by_definition(const Node& node, const WorkloadShape& shape) {
    const Request& request = shape.request;
    std::int64_t all = 0;
    std::int64_t slivers = 0;
    int fitting = 0;
    for (int i = 0; i < node.devices; ++i) {
        const std::uint16_t free = node.free[static_cast<std::size_t>(i)];
        all += free;
        if (free < request.device_milli)
            slivers += free;
        else
            ++fitting;
    }
    const bool usable = !request.cpu_only() && ((request.models >> node.model) & 1U) != 0 &&
                        node.cpu_free >= request.cpu_milli && fitting >= request.devices;
    return shape.count * (usable ? slivers : all);
}

Node partly_used(Node node) {
    node.cpu_free = *rc::gen::inRange(0, node.cpu_total + 1);
    for (int i = 0; i < node.devices; ++i)
        node.free[static_cast<std::size_t>(i)] =
            *rc::gen::element<std::uint16_t>(0, 60, 190, 500, 810, 1000);
    return node;
}

RC_GTEST_PROP(FragmentationProperty, TheTablesEqualTheDefinition, ()) {
    std::vector<Request> requests = any_requests(1, 60);
    if (*rc::gen::arbitrary<bool>())  // several devices, each in part: the rare kind
        requests.push_back({.cpu_milli = 1000, .devices = 2, .device_milli = 500});
    const std::vector<WorkloadShape> workload = target_workload(requests);
    const FragmentationMeter meter(workload, kTestModels);
    const Node node = partly_used(*any_node());

    std::int64_t expected = 0;
    for (const WorkloadShape& shape : workload) expected += fragment_by_definition(node, shape);

    RC_ASSERT(meter.of(node) == expected);
}

RC_GTEST_PROP(FragmentationProperty, TheTargetWorkloadDoesNotDependOnTheOrderOfItsInput, ()) {
    std::vector<Request> requests = any_requests(1, 60);
    const std::vector<WorkloadShape> forward = target_workload(requests);
    std::ranges::reverse(requests);
    const std::vector<WorkloadShape> backward = target_workload(requests);

    RC_ASSERT(forward.size() == backward.size());
    for (std::size_t i = 0; i < forward.size(); ++i) {
        RC_ASSERT(forward[i].request == backward[i].request);
        RC_ASSERT(forward[i].count == backward[i].count);
    }
}

}  // namespace
}  // namespace penstock::placement
