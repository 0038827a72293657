// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scheduler/scheduler.h"

namespace penstock::scheduler {

constexpr int kOptionalControls = 4;  // attestation, dedicated_tenancy, encryption, audit

// What one item is expected to take on a node with the accelerator of `request`; absent: unknown.
std::optional<Duration> expected_run_time(const Profile& profile, const ResourceRequest& request);
bool run_time_known(const Profile& profile, const ResourceRequest& request);
// The span that is held for it: what is expected, else kDefaultRunTime.
Duration held_run_time(const Profile& profile, const ResourceRequest& request);
// What one item takes at most, nine times in ten; absent: unknown.
std::optional<Duration> run_time_at_most_of(const Profile& profile, const ResourceRequest& request);

// A node asked for one choice of accelerator from `start` on.
struct Asked {
    const Supply& supply;
    const ResourceRequest& request;
    std::optional<Price> hourly;  // absent: the site has no price for it
    Time start;                   // of staging
};

// The five terms of a node, lower is better:
//   cost       hourly price × run time, rounded up, + staged GB × egress of their route or source
//              + result GB × egress of the site + power where the outlook has a price for it; who
//              states no price for egress asks nothing; + restarts expected by what was measured ×
//              half a checkpoint interval, else half the run, × hourly price, where that is known
//   duration   wait until the start + staging and fetching (bytes / bandwidth + round trip, each
//              where there are bytes) + run time
//   security   1 − share of the optional controls that the site has
//   latency    round trip between the users and the site (callers.h)
//   carbon     (cores × watts per core + devices × watts per device) × PUE × grid intensity of the
//              hours it runs in × run time; of an outlook that is not believed any more: unknown
// A term with a missing input is absent, never guessed. Where nobody knows how long it runs, cost
// and carbon are of an hour of running (Terms::per_hour), duration is without the run and egress,
// which no hour repeats, is beside the cost.
Terms terms_of(const Input& input, const Asked& asked);
// Beside terms of a known run time, rates say nothing: who has only rates loses them, so that they
// are unknown.
void compare_alike(const std::vector<Terms*>& terms);
// What of its cost is charged: all but egress and restarts. Budgets and estimates hold it. Absent:
// unknown.
std::optional<Money> charged_of(const Terms& terms);
// What of the node's time it takes: staging, run and fetching; the run alone where the transfers
// cannot be foretold.
Duration occupied_span(const Input& input, const Asked& asked);

}  // namespace penstock::scheduler
