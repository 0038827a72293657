// SPDX-License-Identifier: Apache-2.0
#include "placement/fgd.h"

#include <algorithm>
#include <cmath>

#include "placement/policies.h"

namespace penstock::placement {
namespace {

// 100 / (1 + exp(−D / 1000)) ≥ score as a bound on D; rounded to 10⁻⁶ milli so that the last bit of
// a machine's logarithm cannot matter.
double fall_for(int score) {
    const double fall = 1000.0 * std::log(score / (100.0 - score));
    return std::round(fall * 1e6) / 1e6;
}

}  // namespace

FgdPolicy::FgdPolicy(FragmentationMeter meter) : meter_(std::move(meter)) {
    for (int score = 1; score < 100; ++score)
        steps_[static_cast<std::size_t>(score - 1)] = static_cast<std::int64_t>(
            std::ceil(fall_for(score) * static_cast<double>(meter_.scale()))
        );
    steps_.back() = INT64_MAX;  // 100 is never reached
}

void FgdPolicy::begin(const std::vector<Node>& nodes) {
    before_.clear();
    for (const Node& node : nodes) before_.push_back(meter_.of(node));
}

void FgdPolicy::placed(NodeIndex index, const Node& node, const Request&) {
    before_[index] = meter_.of(node);
}

void FgdPolicy::released(NodeIndex index, const Node& node, const Request&) {
    before_[index] = meter_.of(node);
}

void FgdPolicy::renewed(NodeIndex index, const Node& node) { before_[index] = meter_.of(node); }

Choice FgdPolicy::choose(NodeIndex index, const Node& node, const Request& request) const {
    if (request.is_share() && !meter_.has_share_groups())
        return choose_share(
            node, request, meter_.view(node.model, node.cpu_free - request.cpu_milli),
            before_[index]
        );
    return Policy::choose(index, node, request);
}

Score FgdPolicy::score(
    NodeIndex index, const Node& node, const Request& request, DeviceMask devices
) const {
    return score_of(before_[index] - after(node, request, devices));
}

Choice FgdPolicy::choose_share(
    const Node& node, const Request& request, const FragmentationMeter::View& view,
    std::int64_t before
) const {
    std::int64_t kept = before;
    int whole = 0;
    for (int i = 0; i < node.devices; ++i) {
        const std::uint16_t free = node.free[static_cast<std::size_t>(i)];
        kept -= view.device(free);
        whole += free == kWholeDevice ? 1 : 0;
    }
    return best_share(node, request, [&](int device) {
        const std::uint16_t free = node.free[static_cast<std::size_t>(device)];
        const auto left = static_cast<std::uint16_t>(free - request.device_milli);
        const int whole_left = whole - (free == kWholeDevice ? 1 : 0);
        return score_of(
            kept + view.device(free) - view.device(left) + view.whole_devices(whole_left)
        );
    });
}

std::int64_t FgdPolicy::after(const Node& node, const Request& request, DeviceMask devices) const {
    auto free = node.free;
    for (int i = 0; i < node.devices; ++i)
        if (((devices >> i) & 1U) != 0) {
            std::uint16_t& milli = free[static_cast<std::size_t>(i)];
            milli = static_cast<std::uint16_t>(milli - request.device_milli);
        }
    return meter_.view(node.model, node.cpu_free - request.cpu_milli)
        .sum(std::span(free).first(node.devices));
}

Score FgdPolicy::score_of(std::int64_t fall) const {
    return static_cast<Score>(std::ranges::upper_bound(steps_, fall) - steps_.begin());
}

std::size_t FgdPolicy::bytes() const { return before_.capacity() * sizeof(before_.front()); }

std::unique_ptr<Policy> make_fgd(const PolicyInputs& inputs) {
    return std::make_unique<FgdPolicy>(FragmentationMeter(inputs.workload, inputs.models));
}

}  // namespace penstock::placement
