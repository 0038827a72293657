// SPDX-License-Identifier: Apache-2.0
#include "placement/placer.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::placement {
namespace {

// A shape that lags further behind than this many changes a node is scored anew: as cheap.
constexpr std::size_t kLogPerNode = 2;
constexpr std::size_t kLogLeast = 4096;

Score unfit(Verdict verdict) { return static_cast<Score>(-1 - static_cast<int>(verdict)); }

void move_milli(Node& node, const Placement& placement, int milli) {
    for (DeviceMask rest = placement.devices; rest != 0; rest &= rest - 1) {
        std::uint16_t& free = node.free[static_cast<std::size_t>(std::countr_zero(rest))];
        const int left = free + milli;
        CHECK(left >= 0 && left <= kWholeDevice, "what is taken fits, what is released was taken");
        free = static_cast<std::uint16_t>(left);
    }
}

}  // namespace

Placer::Placer(std::vector<Node> nodes, std::unique_ptr<Policy> policy)
    : nodes_(std::move(nodes)), policy_(std::move(policy)), last_change_(nodes_.size()) {
    CHECK(nodes_.size() <= kNodesMax, "readers of lists check it");
    policy_->begin(nodes_);
}

void Placer::set_policy(std::unique_ptr<Policy> policy) {
    policy_ = std::move(policy);
    policy_->begin(nodes_);
    for (Shape& shape : shapes_) shape.fresh = true;
}

void Placer::forget_shapes() {
    shapes_.clear();
    shape_ids_.clear();
}

Result<ShapeId> Placer::intern(const Request& request) {
    const auto found = shape_ids_.find(request);
    if (found != shape_ids_.end()) return found->second;
    if (shapes_.size() == kShapesMax)
        return fail(
            ErrorCode::resource_exhausted, "more than " + std::to_string(kShapesMax) +
                                               " distinct requests: round what tasks ask for"
        );
    const auto id = static_cast<ShapeId>(shapes_.size());
    shapes_.push_back({.request = request, .scores = ScoreTree(nodes_.size())});
    shape_ids_.emplace(request, id);
    return id;
}

std::optional<Placement> Placer::find(ShapeId id) {
    Shape& shape = shapes_[id];
    catch_up(shape);
    if (shape.scores.best() < 0) return std::nullopt;
    if (Random* random = policy_->uniform()) return draw(id, *random);
    const auto node = static_cast<NodeIndex>(shape.scores.first_best());
    return Placement{id, node, policy_->choose(node, nodes_[node], shape.request).devices};
}

std::optional<Placement> Placer::place(ShapeId shape) {
    const std::optional<Placement> found = find(shape);
    if (found) take(*found);
    return found;
}

std::optional<Placement> Placer::fit_on(NodeIndex node, ShapeId shape) const {
    const Request& request = shapes_[shape].request;
    if (!is_fit(judge(nodes_[node], request))) return std::nullopt;
    return Placement{shape, node, policy_->choose(node, nodes_[node], request).devices};
}

// Uniform over the nodes that fit, then over the devices with room for a share.
Placement Placer::draw(ShapeId id, Random& random) {
    const Shape& shape = shapes_[id];
    const auto& counts = shape.verdicts;
    const std::uint64_t fitting = counts[static_cast<std::size_t>(Verdict::fits)] +
                                  counts[static_cast<std::size_t>(Verdict::fits_cpu_only)];
    const auto node = static_cast<NodeIndex>(shape.scores.choosable(random.below(fitting)));
    const Node& at = nodes_[node];
    if (!shape.request.is_share()) return {id, node, plain_devices(at, shape.request)};
    const int room = at.devices_with(shape.request.device_milli);
    auto rank = random.below(static_cast<std::uint64_t>(room));
    for (int i = 0; i < at.devices; ++i)
        if (at.free[static_cast<std::size_t>(i)] >= shape.request.device_milli && rank-- == 0)
            return {id, node, DeviceMask{1} << i};
    CHECK(false, "a fitting node has a device with room");
    return {};
}

void Placer::take(const Placement& placement) {
    const Request& request = shapes_[placement.shape].request;
    Node& node = nodes_[placement.node];
    CHECK(
        node.cpu_free >= request.cpu_milli && node.memory_free >= request.memory_mib,
        "a placement is taken while it fits"
    );
    CHECK(std::popcount(placement.devices) == request.devices, "a placement has its devices");
    node.cpu_free -= request.cpu_milli;
    if (node.memory_total != kMemoryUnknown) node.memory_free -= request.memory_mib;
    move_milli(node, placement, -int{request.device_milli});
    ++node.tasks;
    policy_->placed(placement.node, node, request);
    changed(placement.node);
}

void Placer::release(const Placement& placement) {
    const Request& request = shapes_[placement.shape].request;
    Node& node = nodes_[placement.node];
    CHECK(node.tasks > 0, "only what was taken is released");
    node.cpu_free += request.cpu_milli;
    if (node.memory_total != kMemoryUnknown) node.memory_free += request.memory_mib;
    CHECK(
        node.cpu_free <= node.cpu_total && node.memory_free <= node.memory_total,
        "only what was taken is released"
    );
    move_milli(node, placement, int{request.device_milli});
    --node.tasks;
    policy_->released(placement.node, node, request);
    changed(placement.node);
}

void Placer::put(NodeIndex index, const Node& node, Cause cause, const Request& task) {
    const Node& before = nodes_[index];
    CHECK(
        before.devices == node.devices && before.model == node.model &&
            before.cpu_total == node.cpu_total && before.memory_total == node.memory_total,
        "a node of another size is another cluster"
    );
    nodes_[index] = node;
    switch (cause) {
        case Cause::renewed:
            policy_->renewed(index, node);
            break;
        case Cause::placed:
            policy_->placed(index, node, task);
            break;
        case Cause::released:
            policy_->released(index, node, task);
            break;
    }
    changed(index);
}

const VerdictCounts& Placer::verdicts(ShapeId shape) {
    catch_up(shapes_[shape]);
    return shapes_[shape].verdicts;
}

Score Placer::score(ShapeId shape, NodeIndex node) {
    catch_up(shapes_[shape]);
    return shapes_[shape].scores.at(node);
}

void Placer::changed(NodeIndex node) {
    const std::size_t most = std::max(kLogLeast, kLogPerNode * nodes_.size());
    if (log_.size() >= 2 * most) {
        log_.erase(log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(most));
        log_start_ += most;
    }
    log_.push_back(node);
    last_change_[node] = log_start_ + log_.size();
}

// Only a node's newest entry is acted on, so a node is rescored once however often it changed.
void Placer::catch_up(Shape& shape) {
    const std::uint64_t end = log_start_ + log_.size();
    if (shape.fresh || shape.seen < log_start_) {
        rescore_all(shape);
    } else {
        for (std::uint64_t change = shape.seen; change < end; ++change) {
            const NodeIndex node = log_[change - log_start_];
            if (last_change_[node] == change + 1) rescore(shape, node);
        }
    }
    shape.seen = end;
}

void Placer::rescore_all(Shape& shape) {
    shape.fresh = false;
    shape.verdicts = {};
    for (NodeIndex node = 0; node < nodes_.size(); ++node) {
        const Verdict verdict = judge(nodes_[node], shape.request);
        ++shape.verdicts[static_cast<std::size_t>(verdict)];
        shape.scores.set(node, fresh_score(shape.request, node, verdict));
    }
}

void Placer::rescore(Shape& shape, NodeIndex node) {
    const Score before = shape.scores.at(node);
    const Verdict verdict = judge(nodes_[node], shape.request);
    const Verdict fitting = shape.request.cpu_only() ? Verdict::fits_cpu_only : Verdict::fits;
    const std::size_t old =
        before < 0 ? static_cast<std::size_t>(-1 - before) : static_cast<std::size_t>(fitting);
    --shape.verdicts[old];
    ++shape.verdicts[static_cast<std::size_t>(verdict)];
    shape.scores.set(node, fresh_score(shape.request, node, verdict));
}

Score Placer::fresh_score(const Request& request, NodeIndex node, Verdict verdict) const {
    if (!is_fit(verdict)) return unfit(verdict);
    return policy_->choose(node, nodes_[node], request).score;
}

std::size_t Placer::bytes() const {
    std::size_t sum = nodes_.capacity() * sizeof(Node) + policy_->bytes() +
                      log_.capacity() * sizeof(NodeIndex) +
                      last_change_.capacity() * sizeof(std::uint64_t);
    for (const Shape& shape : shapes_) sum += sizeof(Shape) + shape.scores.bytes();
    return sum;
}

}  // namespace penstock::placement
