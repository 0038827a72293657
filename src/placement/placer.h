// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "placement/policy.h"
#include "placement/verdict.h"

namespace penstock::placement {

constexpr std::size_t kShapesMax = 4096;
constexpr std::size_t kNodesMax = 2'000'000;

// A cluster and where the next task goes in it. One owner, one thread. Scores of a shape are kept
// until their node changes.
//
//     Placer placer(std::move(nodes), make_policy(...));
//     const ShapeId shape = TRY(placer.intern(request));
//     if (const auto placement = placer.place(shape)) …  // else: placer.verdicts(shape) says why
class Placer {
  public:
    // Ties between nodes go to the first in this order. At most kNodesMax.
    Placer(std::vector<Node> nodes, std::unique_ptr<Policy> policy);

    // The shape of a request; resource_exhausted beyond kShapesMax.
    Result<ShapeId> intern(const Request& request);
    const Request& request(ShapeId shape) const { return shapes_[shape].request; }
    std::size_t shapes() const { return shapes_.size(); }

    // The best node for one task, or nothing when it fits nowhere. Takes nothing.
    std::optional<Placement> find(ShapeId shape);
    // find() and take().
    std::optional<Placement> place(ShapeId shape);
    // The devices this shape would get on this node, when it fits.
    std::optional<Placement> fit_on(NodeIndex node, ShapeId shape) const;
    // As found, and nothing was taken since; checked.
    void take(const Placement& placement);
    // Gives back exactly what was taken.
    void release(const Placement& placement);

    // Where other books than this one are kept of the cluster: the node is now as given, with the
    // devices, model and totals it had. A task that came or went is named, so that the policy
    // knows.
    enum class Cause : std::uint8_t { renewed, placed, released };
    void put(NodeIndex index, const Node& node, Cause cause, const Request& task);
    void put(NodeIndex index, const Node& node) { put(index, node, Cause::renewed, {}); }
    // Scores by another policy from here on, which is told of no task that runs.
    void set_policy(std::unique_ptr<Policy> policy);
    // Their ids are void; what they took stays taken, and is to be given back by put() alone.
    void forget_shapes();
    // For policies that draw: what is drawn next depends on the seed alone.
    void reseed(std::uint64_t seed) { policy_->reseed(seed); }

    // Nodes by what they are to this shape now. Costs what find() costs, no pass over all nodes.
    const VerdictCounts& verdicts(ShapeId shape);

    const std::vector<Node>& nodes() const { return nodes_; }
    // Whether the policy draws nodes instead of scoring them.
    bool draws() const { return policy_->uniform() != nullptr; }
    const Policy& policy() const { return *policy_; }
    // The score the shape has on the node now; negative: −1 − its verdict.
    Score score(ShapeId shape, NodeIndex node);
    // All memory of nodes, caches, log and policy.
    std::size_t bytes() const;

  private:
    struct Shape {
        Request request;
        ScoreTree scores;  // negative: −1 − verdict
        VerdictCounts verdicts{};
        std::uint64_t seen = 0;  // changes up to here are in the scores
        bool fresh = true;       // nothing was scored yet
    };
    void changed(NodeIndex node);
    void catch_up(Shape& shape);
    void rescore(Shape& shape, NodeIndex node);
    void rescore_all(Shape& shape);
    Score fresh_score(const Request& request, NodeIndex node, Verdict verdict) const;
    Placement draw(ShapeId shape, Random& random);

    std::vector<Node> nodes_;
    std::unique_ptr<Policy> policy_;
    std::vector<Shape> shapes_;
    std::map<Request, ShapeId> shape_ids_;
    std::vector<NodeIndex> log_;  // changed nodes, from change log_start_ on
    std::uint64_t log_start_ = 0;
    std::vector<std::uint64_t> last_change_;  // of each node; its number in the log, from 1
};

}  // namespace penstock::placement
