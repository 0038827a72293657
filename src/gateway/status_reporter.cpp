// SPDX-License-Identifier: Apache-2.0
#include "gateway/status_reporter.h"

#include <algorithm>

namespace penstock::gateway {

StatusReporter::StatusReporter(Parts parts, RunId run)
    : parts_(parts), run_(run), started_at_(parts.calls.clock.now()) {}

ReportGateway StatusReporter::report(bool detailed) const {
    const Time now = parts_.calls.clock.now();
    const routing::AllowancePool& pool = parts_.calls.budget.pool();
    ReportGateway report{
        .replica = parts_.options.replica,
        .run = run_,
        .region = parts_.options.region,
        .started_at = started_at_,
        .wait = detailed ? kPaceWatched : kPace,
        .told_to_drain = parts_.drain.told(),
        .state = parts_.drain.state(),
        .ready = parts_.routes_known && parts_.calls.spool.has_room(),
        .routes_version = parts_.routes_version,
        .calls_in_flight = parts_.calls.calls_running,
        .calls_held = static_cast<std::int64_t>(parts_.held.held()),
        .batch_lines = static_cast<std::int64_t>(parts_.batches.lines()),
        .holds_open = static_cast<std::int64_t>(pool.holds_open()),
        .held = pool.held(),
        .leases = static_cast<std::int64_t>(pool.accounts()),
        .breakers_open = static_cast<std::int64_t>(parts_.calls.endpoints.open_breakers(now)),
        .has_unsettled = parts_.calls.spool.has_unsettled(),
        .refused_routes = parts_.refused_routes,
        .detailed = detailed
    };
    if (report.refused_routes.size() > kRefusedRoutesMax)
        report.refused_routes.resize(kRefusedRoutesMax);
    if (report.state == GatewayState::draining) report.wait = kPaceDraining;
    if (!detailed) return report;
    report.endpoints =
        parts_.calls.endpoints.statuses(now, kEndpointsMax, &report.endpoints_left_out);
    report.lease_uses = pool.lease_uses(now, kLeasesMax, &report.lease_uses_left_out);
    return report;
}

io::Task<void> StatusReporter::report_forever() {
    bool detailed = false;
    bool heard = true;
    while (true) {
        const Result<GatewayWishes> wishes = co_await parts_.server.report_status(report(detailed));
        if (wishes) {
            detailed = wishes->details;
            parts_.calls.budget.recall(wishes->recalled);
        }
        if (!wishes && heard)
            parts_.log.warning(
                "the server does not take this gateway's status; calls are not concerned",
                {{"error", to_string(wishes.error())}}
            );
        heard = wishes.has_value();
        co_await io::sleep_for(heard ? kBetweenMin : kBackOff);
    }
}

}  // namespace penstock::gateway
