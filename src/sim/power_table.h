// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "placement/power.h"
#include "sim/cluster_trace.h"
#include "sim/csv.h"

namespace penstock::sim {

// Power by device model. Columns: model (empty: nodes without devices), device_idle_watts,
// device_full_watts, cpu (its name, for people), socket_idle_watts, socket_full_watts,
// cores_per_socket; others are ignored.
struct PowerList {
    std::vector<std::string> models;
    placement::PowerTable profiles;

    // In the order of `models`; an error names a model of the cluster that the list lacks.
    Result<placement::PowerTable> table_for(const ModelNames& cluster) const;
};
Result<PowerList> read_power(const Csv& csv);

// The list that stands in when none is given: published figures, as CSV with their sources.
std::string_view power_csv();

}  // namespace penstock::sim
