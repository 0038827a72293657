// SPDX-License-Identifier: Apache-2.0
#include "gateway/load_reporter.h"

#include <algorithm>

namespace penstock::gateway {
namespace {

constexpr Duration kPaceFirst = 1s;
constexpr Duration kPaceMin = 100ms;
constexpr Duration kPaceMax = 10s;
constexpr Duration kBetweenMin = 50ms;  // however many calls begin to wait

}  // namespace

ReportLoads LoadReporter::report() const {
    std::vector<EndpointId> leaving = parts_.endpoints.leaving();
    if (leaving.size() > LoadMeter::kReportedMax) leaving.resize(LoadMeter::kReportedMax);
    return {
        .replica = parts_.options.replica,
        .run = run_,
        .region = parts_.options.region,
        .routes_version = parts_.routes_version,
        .services = parts_.loads.report(),
        .leaving = std::move(leaving)
    };
}

io::Task<void> LoadReporter::report_forever() {
    Duration pace = kPaceFirst;
    bool heard = true;
    while (true) {
        const std::uint64_t begun = parts_.held.begun();
        if (!parts_.loads.services().empty()) {
            const Result<TakenLoads> taken = co_await parts_.server.report_loads(report());
            if (taken) pace = std::clamp(taken->report_every, kPaceMin, kPaceMax);
            if (!taken && heard)
                parts_.log.warning(
                    "the load of services cannot be reported; the server keeps their replicas",
                    {{"error", to_string(taken.error())}}
                );
            heard = taken.has_value();
        }
        co_await io::sleep_for(kBetweenMin);
        co_await parts_.held.wait_for_more(begun, io::Deadline::after(pace - kBetweenMin));
    }
}

}  // namespace penstock::gateway
