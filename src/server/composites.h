// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/composite.h"
#include "server/api.h"

// Composites: several tasks that are submitted, checked and decided as one document.
namespace penstock::server {

// Decides all parts on what is free now. A part without `placement` gets that of its kind: a
// service is placed near its users, other work where it is cheap and green. Parts of which neither
// waits for the other are placed side by side: none counts on what another takes, and those that
// wait for equally many are decided together (scheduler/joint.h). What leaves a part for another
// pays the egress of the part's site, so that it counts in its choice; the way leads over the
// platform's store, hence the choices are otherwise independent.
CompositePlan plan_composite(
    const Platform& platform, const CompositeSpec& spec, OrganisationId organisation
);

// What a part gets that says nothing of its placement.
void set_default_placement(TaskSpec& part);

// POST /v1/composites, POST /v1/composites:plan, GET /v1/composites/{name}
void add_composite_routes(Api& api);

}  // namespace penstock::server
