// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "placement/policies.h"

namespace penstock::placement {
namespace {

std::int32_t ceil_div(std::int32_t value, std::int32_t by) { return (value + by - 1) / by; }

// Where the power drawn grows least (PWR, CCGrid 2025). The score is 10,000 for no growth and 0 for
// the most that a request can cause anywhere in the cluster. The original norms by the extremes
// over the nodes that fit at this moment; a fixed most keeps scores valid until their node changes,
// and orders nodes the same.
class PwrPolicy final : public Policy {
  public:
    explicit PwrPolicy(PowerTable table) : table_(std::move(table)) {}

    Score score(NodeIndex, const Node& node, const Request& request, DeviceMask devices)
        const override {
        const PowerProfile& profile = table_[node.model];
        Node after = node;
        after.cpu_free -= request.cpu_milli;
        for (DeviceMask rest = devices; rest != 0; rest &= rest - 1) {
            std::uint16_t& free = after.free[static_cast<std::size_t>(std::countr_zero(rest))];
            free = static_cast<std::uint16_t>(free - request.device_milli);
        }
        const std::int64_t growth = watts(after, profile) - watts(node, profile);
        const std::int64_t most = std::max<std::int64_t>(most_growth(request), 1);
        CHECK(growth >= 0 && growth <= most, "a task adds devices and sockets, at most its own");
        return static_cast<Score>(kScoreMax * (most - growth) / most);
    }

    Score score_full() const override { return kScoreMax; }

  private:
    std::int32_t most_growth(const Request& request) const {
        constexpr std::int32_t kMilliPerCore = 2000;
        std::int32_t most = 0;
        for (const PowerProfile& profile : table_) {
            // One socket more than its cores fill: they may straddle a boundary.
            const std::int32_t cores = ceil_div(request.cpu_milli, kMilliPerCore) + 1;
            const std::int32_t sockets = ceil_div(cores, profile.cores_per_socket) + 1;
            most = std::max(
                most, request.devices * (profile.device_full - profile.device_idle) +
                          sockets * (profile.socket_full - profile.socket_idle)
            );
        }
        return most;
    }

    PowerTable table_;
};

}  // namespace

std::unique_ptr<Policy> make_pwr(const PolicyInputs& inputs) {
    return std::make_unique<PwrPolicy>(inputs.power);
}

}  // namespace penstock::placement
