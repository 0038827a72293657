// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scheduler/fair_queue.h"
#include "scheduler/filter.h"
#include "scheduler/start_estimate.h"

// What people are told of the queue, in English and Chinese. The texts stand in testdata/queue.txt.
namespace penstock::scheduler {

// Which quota keeps work waiting: of whom, how much, who set it.
struct QuotaFacts {
    TenantLevel level{};
    std::string owner;  // the tenant's name
    std::string set_by;
    LimitHit hit;
};
Text quota_text(const QuotaFacts& facts);
// An amount of a limit in the unit of its resource: CPUs, GiB, devices.
double in_units(const LimitHit& hit, std::int64_t amount);

// What is promised to work that waits, to follow the reason; `node` is "site/name".
Text promise_text(const std::string& node, bool by_notice);

// What an estimate rests on, or why there is none.
Text estimate_text(const WaitQuantiles& waits, std::size_t ahead);
// Of work that waits for its tenant to hold less.
Text estimate_text_behind_quota();

}  // namespace penstock::scheduler
