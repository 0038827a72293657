// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scheduler/scheduler.h"

namespace penstock::scheduler {

constexpr int kOptionalControls = 4;  // attestation, dedicated_tenancy, encryption, audit

// What one item is expected to take on a node with the accelerator of `request`; the stated default
// where nobody knows.
Duration run_time_of(const Profile& profile, const ResourceRequest& request);
bool run_time_known(const Profile& profile, const ResourceRequest& request);

// The five terms of a node, lower is better:
//   cost       hourly price × run time, rounded up, + staged GB × egress of their source
//              + result GB × egress of the site
//   duration   staging and fetching (bytes / bandwidth + round trip, each where there are bytes) +
//   run time security   1 − share of the optional controls that the site has latency    round trip
//   between the users and the site carbon     (cores × watts per core + devices × watts per device)
//   × PUE × grid intensity × run time
// A term with a missing input is absent, never guessed.
Terms terms_of(
    const Input& input, const Supply& supply, const ResourceRequest& request,
    const std::optional<Price>& hourly
);

}  // namespace penstock::scheduler
