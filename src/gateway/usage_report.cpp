// SPDX-License-Identifier: Apache-2.0
#include "gateway/usage_report.h"

#include "dialects/usage.h"

namespace penstock::gateway {

void report_usage(
    routing::CallMeter& meter, const dialects::Usage& usage, const routing::DeltaCount& of_its_frame
) {
    const routing::DisjointUsage told{.tokens = usage.tokens, .violations = usage.violations};
    if (meter.report(told, of_its_frame)) meter.keep_words(dialects::usage_words(usage));
}

}  // namespace penstock::gateway
