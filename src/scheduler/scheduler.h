// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/plan.h"
#include "model/site.h"
#include "model/task_spec.h"

namespace penstock::scheduler {

// One node that could take an item, as the owner of the fleet sees it now. Borrowed for the call.
struct Supply {
    const Site* site = nullptr;
    const Node* node = nullptr;
    Capacity free;
};

// What is known of the task beside its spec.
struct Profile {
    std::optional<Duration> run_time;  // expected, of one item on one node; absent: unknown
    std::string run_time_basis;        // "time_limit", "history of 12 runs", "not stated: one hour"
    std::int64_t staging_bytes = 0;    // to be moved to the node before it can start
};

struct Input {
    const TaskSpec& spec;
    std::string spec_sha256;
    std::int64_t items = 1;
    std::vector<Supply> supplies;
    std::vector<NodeId> avoid;  // failed for this item before: only if nothing else is feasible
    Profile profile;
    std::optional<Money> budget_left;
    Time now;
};

// Filters first, then the five-term objective over what is left. Pure and deterministic: the same input
// gives the same plan, byte for byte, in whatever order the supplies come.
Plan plan(const Input& input);

// What one item asks for, with defaults where the spec says nothing.
ResourceRequest request_of(const TaskSpec& spec);
constexpr std::int64_t kDefaultCpuMilli = 1000;
constexpr std::int64_t kDefaultMemoryMib = 1024;
constexpr Duration kDefaultRunTime = 1h;  // the span that is held where the run time is unknown

// Price of `request` at `site` for an hour; refuses an accelerator the site has no price for.
Result<Price> hourly_price(const Site& site, const ResourceRequest& request);

}  // namespace penstock::scheduler
