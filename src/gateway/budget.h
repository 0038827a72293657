// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "base/time.h"
#include "gateway/server_link.h"
#include "io/event.h"
#include "io/task_group.h"
#include "routing/lease_pool.h"
#include "telemetry/log.h"

namespace penstock::gateway {

// Holds for calls, from leases that it fetches and renews. At most one question about an
// organisation is under way at a time, and it asks for all calls that wait.
class Budget {
  public:
    static constexpr int kRoundsMax = 8;          // renewals that one call waits for
    static constexpr Duration kOpenWaitMax = 2s;  // of a call that comes before open()
    static constexpr Duration kRefusedFor = 1s;   // after a refusal the server is left alone
    static constexpr Duration kSweepInterval = 1s;
    static constexpr std::size_t kRefusalsMax = 10'000;

    struct Options {
        std::string replica;
        Money lease_amount;
    };
    Budget(
        io::Executor executor, io::TaskGroup& tasks, ServerLink& server, const Clock& clock,
        telemetry::Logger log, Options options
    );

    // insufficient_funds: the wallet does not cover the call. unavailable: the server cannot be
    // asked and no lease is left; or it is not yet known what an earlier process spent (see
    // open()).
    io::Task<Result<routing::Hold>> reserve(OrganisationId organisation_id, Money amount);
    // Leases can be fetched from now on: what an earlier process spent has been settled.
    void open();
    // Renews leases in use before they expire or run dry; runs until cancelled.
    io::Task<void> renew_forever();
    routing::LeasePool& pool() { return pool_; }

  private:
    struct Renewing {
        explicit Renewing(io::Executor executor) : ended(std::move(executor)) {}
        io::Event ended;
        bool done = false;
        bool insufficient = false;  // the server would not grant all that was asked
        std::uint64_t covers = 0;   // calls registered before this number were asked for
        Result<void> result = {};
    };
    struct Refusal {
        Money amount;
        Time until;
        Error error;
    };
    struct Demand {
        Money waiting;   // of all calls that wait
        Money smallest;  // of them; zero when none waits
        int calls = 0;
    };
    std::shared_ptr<Renewing> renew(const OrganisationId& organisation_id);
    io::Task<void> ask_server(OrganisationId organisation_id, std::shared_ptr<Renewing> renewing);
    io::Task<Result<void>> fetch(OrganisationId organisation_id, bool least);
    Error refuse(const OrganisationId& organisation_id, Money amount);
    io::Task<Result<routing::Hold>> wait_for_lease(OrganisationId organisation_id, Money amount);

    io::Executor executor_;
    io::TaskGroup& tasks_;
    ServerLink& server_;
    const Clock& clock_;
    telemetry::Logger log_;
    Options options_;
    routing::LeasePool pool_;
    bool open_ = false;
    io::Event opened_;
    std::uint64_t registered_ = 0;  // calls that ever waited
    std::unordered_map<OrganisationId, Demand> demand_;
    // Shared by those who wait and the task that asks, whichever ends last.
    std::unordered_map<OrganisationId, std::shared_ptr<Renewing>> renewing_;
    std::unordered_map<OrganisationId, Refusal> refused_;
};

}  // namespace penstock::gateway
