// SPDX-License-Identifier: Apache-2.0
#include "placement/policies.h"

namespace penstock::placement {
namespace {

// Each member's score as a part of what it gives at most, weighed; in ten-thousandths.
class CompositePolicy final : public Policy {
  public:
    explicit CompositePolicy(std::vector<WeightedPolicy> members) : members_(std::move(members)) {
        for (const WeightedPolicy& member : members_) weights_ += member.weight;
    }

    void begin(const std::vector<Node>& nodes) override {
        for (WeightedPolicy& member : members_) member.policy->begin(nodes);
    }
    void placed(NodeIndex index, const Node& node, const Request& request) override {
        for (WeightedPolicy& member : members_) member.policy->placed(index, node, request);
    }
    void released(NodeIndex index, const Node& node, const Request& request) override {
        for (WeightedPolicy& member : members_) member.policy->released(index, node, request);
    }
    void renewed(NodeIndex index, const Node& node) override {
        for (WeightedPolicy& member : members_) member.policy->renewed(index, node);
    }

    Score score(NodeIndex index, const Node& node, const Request& request, DeviceMask devices)
        const override {
        std::int64_t sum = 0;
        for (const WeightedPolicy& member : members_) {
            const std::int64_t full = member.policy->score_full();
            const std::int64_t score = member.policy->score(index, node, request, devices);
            sum += member.weight * (score * kScoreMax / full);
        }
        return static_cast<Score>(sum / weights_);
    }
    Score score_full() const override { return kScoreMax; }

    std::size_t bytes() const override {
        std::size_t sum = 0;
        for (const WeightedPolicy& member : members_) sum += member.policy->bytes();
        return sum;
    }

  private:
    std::vector<WeightedPolicy> members_;
    std::int64_t weights_ = 0;
};

}  // namespace

std::unique_ptr<Policy> make_composite(std::vector<WeightedPolicy> members) {
    return std::make_unique<CompositePolicy>(std::move(members));
}

}  // namespace penstock::placement
