// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
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

// Runs the lines of batches that the server gives it, each at the endpoint that the server chose:
// tells what this gateway carries at the endpoints that sell batches, claims lines, makes each an
// ordinary call of its key, and reports how it ended until the server has it. Whatever is lost on
// the way is run again: charged is what the server took. The gateway's thread.
class BatchRunner {
  public:
    static constexpr Duration kClaimWait = 15s;    // on the server, while there is nothing to run
    static constexpr Duration kRenewEvery = 10s;   // what is claimed, while nothing more is taken
    static constexpr Duration kUsesWait = 5s;      // on the server, while no line waits or runs
    static constexpr Duration kUsesEvery = 1s;     // else, where nothing changes
    static constexpr Duration kLookAgain = 100ms;  // whether something did, while lines are sold
    static constexpr Duration kBackOff = 1s;       // the server does not answer
    static constexpr std::size_t kUnreportedMax = 256;  // lines claimed and not yet taken back
    static constexpr std::size_t kUsesMax = 2'000;      // endpoints; the others get no lines here
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
    io::Task<void> tell_uses_forever();
    io::Task<void> claim_forever();
    io::Task<void> report_forever();

  private:
    struct Report {
        LineReport told;
        BatchCallPtr call;
    };
    struct Running {
        EndpointId endpoint_id;
        BatchCallPtr call;
    };
    struct Seller {
        EndpointId id;
        std::string model;
    };
    ReportUses uses(Duration wait) const;
    EndpointUse use_of(const EndpointId& id) const;
    std::int64_t lines_at(const EndpointId& id) const;
    // Whether interactive calls of this gateway leave room there for one line more.
    bool may_begin(const EndpointId& id) const;
    std::vector<EndpointId> all_but(const EndpointId& id) const;
    ClaimLines question() const;

    io::Task<void> run_line(ClaimedLine line);
    io::Task<http::Response> ask(const ClaimedLine* line, BatchCallPtr call);
    void put_report(const ClaimedLine& line, BatchCallPtr call, http::Response response);
    void give_back(const ClaimedLine& line, BatchCallPtr call);
    ReportLines next_reports();
    void acknowledge(std::size_t count, const ReportedLines& answer);

    Parts parts_;
    RunId run_;
    std::map<std::string, std::vector<EndpointId>> endpoints_;  // all of a model
    std::vector<Seller> sellers_;                               // of batches
    std::map<LineTry, Running> running_;  // claimed, until the server has them
    std::deque<Report> reports_;
    io::Event reported_;
    io::Event routes_changed_;
    bool paused_ = false;
    telemetry::Gauge* in_flight_;
};

}  // namespace penstock::gateway
