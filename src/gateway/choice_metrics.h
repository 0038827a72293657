// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "routing/decision.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {

// Why engines were chosen, and why others were no candidates. A choice costs a few additions.
class ChoiceMetrics {
  public:
    explicit ChoiceMetrics(telemetry::Registry& registry);
    void on_choice(const routing::Decision& decision);

  private:
    // The first that is true of a choice.
    enum class Reason : std::uint8_t {
        none,
        uneven_load,
        session,
        cached_prompt,
        learned_rates,
        reference_rates,
        two_choices,
    };
    static constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::two_choices) + 1;
    static constexpr std::size_t kFilters =
        static_cast<std::size_t>(routing::FilterReason::lower_order) + 1;
    static Reason reason_of(const routing::Decision& decision);

    std::array<telemetry::Counter*, kReasons> choices_{};
    std::array<telemetry::Counter*, kFilters> left_out_{};  // none: null
};

}  // namespace penstock::gateway
