// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/plan.h"
#include "model/service_load.h"
#include "tasks/autoscaler.h"

namespace penstock::tasks {

// The load of elastic services as several gateways report it, in sums since each gateway's process
// began. What is first heard of a process, or after it was silent, is where counting begins: what
// came while nobody listened makes no rush. Pure; one owner.
class LoadBook {
  public:
    static constexpr Duration kReportEvery = 1s;   // the pace asked for
    static constexpr Duration kSilentAfter = 15s;  // then a gateway counts for nothing
    static constexpr std::size_t kGatewaysMax = 256;
    static constexpr std::size_t kServicesMax = 1000;  // of one report
    static constexpr std::int64_t kSamplesMin = 5;     // fewer streams say nothing of the 95th
    static constexpr Duration kRegionsOver = 10min;    // where calls came from

    // invalid_argument, or resource_exhausted beyond kGatewaysMax; names the field.
    Result<void> report(const ReportLoads& report, Time now);
    // What came since the last take(); streams of the last `window`. `replicas` is left open.
    ServiceLoad take(const TaskId& id, Duration window, Time now);
    // Where the calls of a service came from, in whole percents; empty: no gateway says.
    std::vector<CallerShare> callers(const TaskId& id, Time now) const;
    // Whether no gateway can have a call at an endpoint that is in no table from `version` on.
    // False while it may be that a gateway has not reported yet.
    bool is_drained(const EndpointId& id, std::int64_t version, Time now) const;
    // All other services have ended.
    void keep_only(const std::set<TaskId>& ids);

  private:
    struct Gateway {
        RunId run;
        std::string region;
        Time at;
        std::int64_t routes_version = 0;
        std::map<TaskId, ServiceUse> uses;
        std::vector<EndpointId> leaving;
    };
    struct Streams {
        Time at;
        SpanCounts first_tokens;
        SpanCounts token_gaps;
    };
    struct Service {
        std::int64_t calls_arrived = 0;  // not taken yet
        std::int64_t tokens_arrived = 0;
        std::deque<Streams> streams;
        std::map<std::string, double> calls_from;  // by region, fading
        Time faded_at;
    };
    void drop_silent(Time now);
    void count(Service& service, const ServiceUse& before, const ServiceUse& after, Time now);

    std::map<std::string, Gateway> gateways_;
    std::map<TaskId, Service> services_;
    std::optional<Time> first_report_;

    static constexpr std::size_t kStreamsMax = 10'000;
    static constexpr std::size_t kNameMax = 128;
};

}  // namespace penstock::tasks
