// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/event.h"
#include "model/gateway_status.h"
#include "server/platform.h"

namespace penstock::server {

// What gateways have reported of themselves, in memory: nothing is known of one that has not spoken
// since this server began. Details are asked for only while somebody looks. The server's executor.
class GatewayBook {
  public:
    static constexpr Duration kAwayAfter = 20s;    // without a report
    static constexpr Duration kForgetAfter = 24h;  // what reports; its leases stay as they are
    static constexpr Duration kWatchedFor = 30s;   // after somebody has looked
    static constexpr Duration kWaitMax = 30s;      // of a report for its answer
    static constexpr Duration kDetailsWaitMax = 2s;
    static constexpr std::size_t kReplicasMax = 10'000;

    explicit GatewayBook(Platform& platform);

    struct Seen {
        ReportGateway report;  // without details
        Time reported_at;
        std::vector<EndpointStatus> endpoints;
        std::int64_t endpoints_left_out = 0;
        std::vector<LeaseUse> lease_uses;
        std::optional<Time> detailed_at;
    };

    // resource_exhausted: kReplicasMax others report. conflict: another process has begun as this
    // replica since.
    Result<void> take(ReportGateway report);
    // Answers a report: when it is over, or another one is wanted at once.
    io::Task<GatewayWishes> wishes(std::string replica, Duration wait);

    // Somebody looks at a known gateway's details. Waits, at most kDetailsWaitMax, for those of
    // every process of the gateway that reports.
    io::Task<void> look(std::string name);
    // Gateways are to hear of a change now.
    void notify() { changed_.notify_all(); }

    // Processes of the gateway that have reported, the one that reported last first.
    std::vector<const Seen*> processes(std::string_view name) const;
    bool is_away(const Seen& seen) const { return platform_.now() - seen.reported_at > kAwayAfter; }
    // Names, sorted: those that report and those that are known from leases and drains.
    std::vector<std::string> names() const;
    GatewayStatus status(const std::string& name) const;

  private:
    bool is_watched(std::string_view name) const;
    bool has_details(std::string_view name, Time since) const;

    Platform& platform_;
    std::map<std::string, Seen, std::less<>> seen_;           // by replica
    std::map<std::string, Time, std::less<>> watched_until_;  // by name
    io::Event changed_;                                       // for those that report
    io::Event reported_;                                      // for those that look
};

}  // namespace penstock::server
