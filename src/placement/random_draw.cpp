// SPDX-License-Identifier: Apache-2.0
#include "placement/policies.h"

namespace penstock::placement {
namespace {

// Any node that fits, any device with room: the floor that others are measured against.
class RandomPolicy final : public Policy {
  public:
    explicit RandomPolicy(std::uint64_t seed) : random_(seed) {}
    Score score(NodeIndex, const Node&, const Request&, DeviceMask) const override { return 0; }
    Random* uniform() override { return &random_; }
    void reseed(std::uint64_t seed) override { random_ = SeededRandom(seed); }

  private:
    SeededRandom random_;
};

}  // namespace

std::unique_ptr<Policy> make_random(const PolicyInputs& inputs) {
    return std::make_unique<RandomPolicy>(inputs.seed);
}

}  // namespace penstock::placement
