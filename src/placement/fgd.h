// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "placement/fragmentation.h"
#include "placement/policy.h"

namespace penstock::placement {

// Fragmentation gradient descent (Weng et al., USENIX ATC 2023): goes where the expected fragment
// of the target workload grows least. With D its fall in device milli, the score is the integer
// part of 100 / (1 + exp(−D / 1000)); that coarse step and the fixed node order make the packing.
class FgdPolicy final : public Policy {
  public:
    explicit FgdPolicy(FragmentationMeter meter);
    Score score(NodeIndex index, const Node& node, const Request& request, DeviceMask devices)
        const override;
    Choice choose(NodeIndex index, const Node& node, const Request& request) const override;
    void begin(const std::vector<Node>& nodes) override;
    void placed(NodeIndex index, const Node& node, const Request& request) override;
    void released(NodeIndex index, const Node& node, const Request& request) override;
    void renewed(NodeIndex index, const Node& node) override;
    std::size_t bytes() const override;
    const FragmentationMeter& meter() const { return meter_; }

  private:
    Score score_of(std::int64_t fall) const;
    Choice choose_share(
        const Node& node, const Request& request, const FragmentationMeter::View& view,
        std::int64_t before
    ) const;
    std::int64_t after(const Node& node, const Request& request, DeviceMask devices) const;

    FragmentationMeter meter_;
    // The least scaled fall D × T for each score from 1 on, rising.
    std::array<std::int64_t, 100> steps_{};
    std::vector<std::int64_t> before_;  // T × F of each node as it is
};

}  // namespace penstock::placement
