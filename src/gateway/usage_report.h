// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/canonical.h"
#include "routing/call_meter.h"

namespace penstock::gateway {

// Tells a call's meter what its engine reported, and the engine's words where they contradict
// themselves or the call's bound.
void report_usage(
    routing::CallMeter& meter, const dialects::Usage& usage,
    const routing::DeltaCount& of_its_frame = {}
);

}  // namespace penstock::gateway
