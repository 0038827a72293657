// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <unordered_map>

#include "model/endpoint.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {

// What each organisation uses. The first kTenantsMax have series of their own, all later ones share
// those of the organisation "other".
class TenantMetrics {
  public:
    static constexpr std::size_t kTenantsMax =
        200;  // each has two of telemetry::kSeriesMax in two families
    explicit TenantMetrics(telemetry::Registry& registry) : registry_(registry) {}
    void on_record(const CallRecord& call);

  private:
    struct Series {
        telemetry::Counter* answered = nullptr;
        telemetry::Counter* failed = nullptr;
        telemetry::Counter* input = nullptr;
        telemetry::Counter* output = nullptr;
    };
    Series& series_of(const OrganisationId& organisation);
    Series made_for(std::string_view organisation);

    telemetry::Registry& registry_;
    std::unordered_map<OrganisationId, Series> tenants_;
    std::optional<Series> other_;
};

}  // namespace penstock::gateway
