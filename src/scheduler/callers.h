// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "scheduler/filter.h"
#include "scheduler/scheduler.h"

// Where the users of a task are, and how far a site is from them.
namespace penstock::scheduler {

// placement.near where the spec says so, else where calls come from; empty: nobody knows.
std::vector<CallerShare> callers_of(const Input& input);

// The round trip within which 95 of 100 calls are, by the places they come from and the site's
// rtt_to; a place that it does not name is as far as its rtt_ms says. Absent: unknown.
std::optional<double> round_trip_ms(const SiteSpec& site, const std::vector<CallerShare>& callers);

// "; round trips are those from cn-hubei (75 %), cn-beijing (25 %)"; nothing where nobody knows.
Text text_of(const std::vector<CallerShare>& callers);

}  // namespace penstock::scheduler
