// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gateway/batch_call.h"
#include "gateway/call.h"
#include "gateway/chat_completions.h"
#include "gateway/dialect_calls.h"
#include "gateway/held_calls.h"
#include "gateway/server_link.h"
#include "io/event.h"
#include "io/task_group.h"
#include "model/batch.h"
#include "telemetry/log.h"

namespace penstock::gateway {

// Runs lines of batches where interactive calls leave room (batches/room.h): claims them from the
// server, makes each an ordinary call of its key, and reports how it ended until the server has it.
// Whatever is lost on the way is run again: charged is what the server took. The gateway's thread.
class BatchRunner {
  public:
    static constexpr Duration kClaimWait = 15s;    // on the server, while there is nothing to run
    static constexpr Duration kLookAgain = 200ms;  // for room, while there is none
    static constexpr Duration kRenewEvery = 10s;   // what is claimed, while there is no room
    static constexpr Duration kRoomWaitMax = 5s;   // of a line whose room went; then it goes back
    static constexpr Duration kBackOff = 1s;       // the server does not answer
    static constexpr std::size_t kUnreportedMax = 256;  // lines claimed and not yet taken back
    static constexpr std::size_t kReportLinesMax = 64;  // in one request
    static constexpr std::size_t kReportBytesMax = 16UL * 1024 * 1024;  // beyond: one at a time

    struct Parts {
        CallParts& calls;
        ChatCompletions& chat;
        DialectCalls& converted;
        HeldCalls& held;
        ServerLink& server;
        io::TaskGroup& tasks;
        const GatewayOptions& options;
        const bool& routes_known;
        telemetry::Logger& log;
        telemetry::Registry& registry;
        const OutageFile& file;  // no line is reported while it is there
    };
    BatchRunner(Parts parts, io::Executor executor, RunId run);

    // A new table of routes is about to be used.
    void on_routes(const std::vector<Route>& routes);
    // No line is claimed while it is paused; those that run are finished.
    void pause(bool paused) { paused_ = paused; }
    // Claimed, and not yet taken back by the server.
    std::size_t lines() const { return running_.size(); }
    // Until cancelled.
    io::Task<void> claim_forever();
    io::Task<void> report_forever();

  private:
    struct Report {
        LineReport told;
        BatchCallPtr call;
    };
    std::vector<LineRoom> rooms() const;
    std::int64_t room_at(const EndpointId& id) const;
    // The endpoint with the most room; nothing: none has any.
    const EndpointId* place_for(const std::string& model) const;
    std::vector<EndpointId> all_but(const std::string& model, const EndpointId& id) const;
    ClaimLines question(Duration wait) const;

    io::Task<void> run_line(ClaimedLine line);
    io::Task<http::Response> ask(const ClaimedLine* line, BatchCallPtr call);
    void put_report(const ClaimedLine& line, BatchCallPtr call, http::Response response);
    ReportLines next_reports();
    void acknowledge(std::size_t count, const ReportedLines& answer);

    Parts parts_;
    RunId run_;
    std::map<std::string, std::vector<EndpointId>> endpoints_;  // all of a model
    std::set<EndpointId> sellers_;                              // of batches
    std::map<EndpointId, std::int64_t> lines_at_;               // in flight
    std::set<LineTry> running_;  // claimed, until the server has them
    std::deque<Report> reports_;
    io::Event reported_;
    bool paused_ = false;
    telemetry::Gauge* in_flight_;
};

}  // namespace penstock::gateway
