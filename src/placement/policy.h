// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "placement/cluster.h"
#include "placement/score_tree.h"

namespace penstock::placement {

// What a policy makes of one node for one request: 0…kScoreMax, and the devices it would take.
struct Choice {
    Score score = 0;
    DeviceMask devices = 0;
};

// How good a node is for a request that fits it. A policy depends on that node alone, so that its
// scores can be kept until the node changes; what else it knows of a node it keeps by the hooks.
class Policy {
  public:
    virtual ~Policy() = default;
    // Of the request on these devices of the node.
    virtual Score score(
        NodeIndex index, const Node& node, const Request& request, DeviceMask devices
    ) const = 0;
    // What score() gives at most: the unit for weighing it against others.
    virtual Score score_full() const { return 100; }
    // The best devices and their score. Here: the best-scored device for a share, lowest index on
    // ties; lowest_devices() for the rest.
    virtual Choice choose(NodeIndex index, const Node& node, const Request& request) const;

    // The nodes there are, before anything else; then each change, after it happened.
    virtual void begin(const std::vector<Node>& nodes) { (void)nodes; }
    virtual void placed(NodeIndex index, const Node& node, const Request& request) {
        (void)index, (void)node, (void)request;
    }
    virtual void released(NodeIndex index, const Node& node, const Request& request) {
        (void)index, (void)node, (void)request;
    }
    // The node is another than it was, for a reason that is no task of this cluster's.
    virtual void renewed(NodeIndex index, const Node& node) { (void)index, (void)node; }
    // Where set, the node and the device of a share are drawn from all that fit, uniformly.
    virtual Random* uniform() { return nullptr; }
    // Of what is drawn from here on.
    virtual void reseed(std::uint64_t seed) { (void)seed; }
    virtual std::size_t bytes() const { return 0; }
};

// For a share: the device with the best score by `score_of(device)` among those with room, lowest
// index on ties; devices with equal free milli are asked once. At least one has room.
template <class ScoreOf>
Choice best_share(const Node& node, const Request& request, const ScoreOf& score_of) {
    Choice best{.score = -1};
    std::uint16_t seen[kDevicesPerNodeMax];
    int seen_count = 0;
    for (int i = 0; i < node.devices; ++i) {
        const std::uint16_t free = node.free[static_cast<std::size_t>(i)];
        if (free < request.device_milli) continue;
        bool again = false;
        for (int j = 0; j < seen_count; ++j) again = again || seen[j] == free;
        if (again) continue;
        seen[seen_count++] = free;
        const Score score = score_of(i);
        if (score > best.score) best = {score, DeviceMask{1} << i};
    }
    return best;
}

// The device with the least room for a share, lowest index on ties.
DeviceMask tightest_device(const Node& node, const Request& request);
// The devices of a request whose score does not depend on which: the tightest for a share, the
// lowest for others, none for CPU only.
DeviceMask plain_devices(const Node& node, const Request& request);

}  // namespace penstock::placement
