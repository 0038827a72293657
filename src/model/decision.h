// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/plan.h"
#include "model/site.h"
#include "model/task_spec.h"

// What a decision was made from and what came of it, so that it can be made again.
namespace penstock {

// Capacity of a node that an attempt has.
struct HeldCapacity {
    AttemptId attempt_id;
    NodeId node_id;
    ResourceRequest request;
    std::vector<std::int64_t> devices;  // positions in Node::devices
    bool operator==(const HeldCapacity&) const = default;
};
BOOST_DESCRIBE_STRUCT(HeldCapacity, (), (attempt_id, node_id, request, devices))

// Everything decisions are made from, after `position` changes.
struct DecisionState {
    std::int64_t position = 0;
    std::vector<Site> sites;
    std::vector<Node> nodes;  // without what they carry or what is held, which stands below
    std::vector<HeldCapacity> holds;
    std::vector<ResourceRequest> recent;    // the newest requests placed, oldest first
    std::vector<ResourceRequest> workload;  // of them, those that fragments are weighed by now
    std::int64_t since_refresh = 0;         // requests since `workload` was looked at
    bool operator==(const DecisionState&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    DecisionState, (), (position, sites, nodes, holds, recent, workload, since_refresh)
)

}  // namespace penstock
