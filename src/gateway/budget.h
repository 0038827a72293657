// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "gateway/outage_file.h"
#include "gateway/server_link.h"
#include "io/event.h"
#include "io/task_group.h"
#include "routing/allowance_pool.h"
#include "routing/call_limits.h"
#include "telemetry/log.h"

namespace penstock::gateway {

// Holds for calls, from allowances that it fetches and renews. At most one question to the server
// is under way at a time; it asks for all calls that wait.
class Budget {
  public:
    static constexpr int kRoundsMax = 8;  // answers that one call waits for
    // Of a call, for what other gateways are asked to give back; and how often it looks for that.
    static constexpr Duration kRecallWaitMax = 2s;
    static constexpr Duration kRecallLook = 20ms;
    static constexpr Duration kOpenWaitMax = 2s;  // of a call that comes before open()
    static constexpr Duration kSweepInterval = 1s;
    static constexpr Duration kAskAgainAfter = 1s;  // the server could not be asked
    // What is idle is given back to a server that has answered within this time: to one that is
    // away it would be lost, and gateways are to serve on from it.
    static constexpr Duration kAnsweredLately = 3s;
    static constexpr std::size_t kAsksMax = 1000;  // in one question

    struct Options {
        std::string replica;
        Money lease_amount;
    };
    Budget(
        io::Executor executor, io::TaskGroup& tasks, ServerLink& server, const Clock& clock,
        Random& random, telemetry::Logger log, Options options
    );
    // Before start: nothing is given back while this file is there.
    void keep_in(OutageFile& file) { file_ = &file; }

    // What the call may use, of every limit of its key, project and organisation and of the wallet;
    // or what the client is told. unavailable (503): the server cannot be asked and no allowance is
    // left, or it is not yet known what an earlier process spent (see open()).
    // `key` and what `needs` names outlive the call.
    io::Task<std::expected<routing::Hold, routing::ApiError>> reserve(
        const ResolvedKey* key, routing::CallNeeds needs, Time deadline
    );
    // The same where that is known without waiting; else nothing.
    std::optional<std::expected<routing::Hold, routing::ApiError>> reserve_now(
        const ResolvedKey& key, const routing::CallNeeds& needs, Time deadline
    );
    // x-ratelimit-… of the key for the model, as they are now.
    routing::HeaderList rate_headers(const ResolvedKey& key, const routing::CallNeeds& needs);
    // Allowances can be fetched from now on: what an earlier process spent has been settled. The
    // server hears of this process at once, so that what the earlier one had left is free again.
    void open();
    // Renews what is in use and gives back what is not; runs until cancelled.
    io::Task<void> renew_forever();
    // Gives back all that is free: the process is about to end.
    io::Task<void> give_back(io::Deadline deadline);
    // What is free is given back as it becomes free, until reopen().
    void close();
    void reopen() { pool_.reopen(); }

    // The server says that others wait for what is not used of these leases.
    void recall(const std::vector<LeaseId>& leases);

    // ---- while the server is away (outage.h)
    static bool is_silence(ErrorCode code);
    // The last question was not answered.
    bool is_silent() const { return !last_answer_ && is_silence(last_answer_.error().code); }
    void on_silence();
    void on_heard() { last_answer_ = {}; }
    // Asks, also when nothing is needed, so that a silence is noticed soon.
    void find_out();
    // Goes on as the process `run` of this name, with what that one had of wallets and limits.
    void resume(RunId run, const std::vector<routing::KeptLease>& leases);
    // Goes on with what another process of this gateway had.
    void adopt(const std::vector<routing::KeptLease>& leases);
    bool is_resumed() const { return resumed_; }
    routing::LeaseHolder holder() const { return {options_.replica, run_}; }
    // Calls that waited for the server, by the measure of the first limit they lacked.
    static constexpr std::size_t kMeasures = static_cast<std::size_t>(Measure::concurrency) + 1;
    const std::array<std::uint64_t, kMeasures>& calls_waited() const { return calls_waited_; }
    routing::AllowancePool& pool() { return pool_; }
    const routing::AllowancePool& pool() const { return pool_; }

  private:
    using Reserved = std::expected<routing::Hold, routing::ApiError>;
    using Demands = std::vector<routing::Demand>;
    class Waiting;
    io::Task<Reserved> wait_for_allowances(Demands demands, std::string model, Time deadline);
    bool is_over(const routing::Demand& demand) const;
    bool is_recalled(const routing::Demand& demand) const;
    io::Task<Result<void>> ask_for(
        const Waiting* waiting, const Demands* demands, std::size_t lacking
    );
    routing::ApiError refuse(const routing::Demand& lacking, std::string_view model) const;
    void ask_beside();
    void ask_soon();
    io::Task<void> ask_while_wanted();
    io::Task<bool> ask_once();
    bool is_clear() const { return file_ == nullptr || file_->is_clear(); }
    io::Task<bool> may_give_back();
    void take(const std::vector<AllowanceAsk>& asks, const GrantedAllowances& answer);
    void begin_run();
    io::Task<void> end_run();

    io::Executor executor_;
    io::TaskGroup& tasks_;
    ServerLink& server_;
    const Clock& clock_;
    telemetry::Logger log_;
    Options options_;
    IdSource ids_;
    RunId run_;
    bool resumed_ = false;  // the run is that of an earlier process
    OutageFile* file_ = nullptr;
    routing::AllowancePool pool_;
    std::array<std::uint64_t, kMeasures> calls_waited_{};
    Demands scratch_;  // of the call that is being admitted
    bool open_ = false;
    std::optional<Duration> answered_at_;  // monotonic, the last time that the server did
    io::Event opened_;
    bool asking_ = false;
    bool finding_out_ = false;
    io::Event answered_;
    std::uint64_t rounds_ = 0;       // questions that have ended
    Result<void> last_answer_ = {};  // of the question that ended last
};

}  // namespace penstock::gateway
