// SPDX-License-Identifier: Apache-2.0
#include "gateway/budget.h"

#include <algorithm>

namespace penstock::gateway {
namespace {

Money sum_or(Money a, Money b) { return add(a, b).value_or(a); }

}  // namespace

Budget::Budget(
    io::Executor executor, io::TaskGroup& tasks, ServerLink& server, const Clock& clock,
    telemetry::Logger log, Options options
)
    : executor_(std::move(executor)),
      tasks_(tasks),
      server_(server),
      clock_(clock),
      log_(std::move(log)),
      options_(std::move(options)),
      pool_(options_.lease_amount),
      opened_(executor_) {}

void Budget::open() {
    open_ = true;
    opened_.notify_all();
}

io::Task<Result<routing::Hold>> Budget::reserve(OrganisationId organisation_id, Money amount) {
    if (Result<routing::Hold> hold = pool_.reserve(organisation_id, amount, clock_.now())) {
        // The next call should find a lease: this one does not wait for it.
        if (open_ && pool_.wants_renewal(organisation_id, clock_.now())) renew(organisation_id);
        co_return hold;
    }
    const io::Deadline patience = io::Deadline::after(kOpenWaitMax);
    while (!open_ && co_await opened_.wait(patience)) {
    }
    if (!open_)
        co_return fail(
            ErrorCode::unavailable,
            "calls of an earlier run are still being settled; try again soon"
        );
    const auto refusal = refused_.find(organisation_id);
    if (refusal != refused_.end() && clock_.now() < refusal->second.until &&
        amount >= refusal->second.amount)
        co_return std::unexpected(refusal->second.error);
    co_return co_await wait_for_lease(organisation_id, amount);
}

io::Task<Result<routing::Hold>> Budget::wait_for_lease(
    OrganisationId organisation_id, Money amount
) {
    // Leaves the demand also when the caller is cancelled while it waits.
    struct Waiting {
        std::unordered_map<OrganisationId, Demand>& all;
        const OrganisationId& id;
        Money amount;
        Waiting(
            std::unordered_map<OrganisationId, Demand>& demand, const OrganisationId& organisation,
            Money money
        )
            : all(demand), id(organisation), amount(money) {
            Demand& own = all[id];
            own.waiting = sum_or(own.waiting, amount);
            own.smallest = own.calls == 0 ? amount : std::min(own.smallest, amount);
            ++own.calls;
        }
        ~Waiting() {
            Demand& own = all.at(id);
            own.waiting = subtract(own.waiting, amount).value_or(Money());
            if (--own.calls == 0) all.erase(id);
        }
    };
    const Waiting waiting(demand_, organisation_id, amount);
    const std::uint64_t number = registered_++;
    for (int round = 0; round < kRoundsMax; ++round) {
        const std::shared_ptr<Renewing> renewal = renew(organisation_id);
        while (!renewal->done) co_await renewal->ended.wait();
        Result<routing::Hold> hold = pool_.reserve(organisation_id, amount, clock_.now());
        if (hold) co_return hold;
        // A question that was under way had been asked without this call: ask again.
        if (number >= renewal->covers) continue;
        if (!renewal->result) co_return std::unexpected(renewal->result.error());
        if (renewal->insufficient || hold.error().code == ErrorCode::insufficient_funds)
            co_return std::unexpected(refuse(organisation_id, amount));
    }
    co_return fail(ErrorCode::unavailable, "the budget is being renewed; try again in a second");
}

Error Budget::refuse(const OrganisationId& organisation_id, Money amount) {
    Error error{
        ErrorCode::insufficient_funds,
        "the wallet does not cover this call, which may cost up to " + to_string(amount) +
            " yuan; top it up, or ask for fewer tokens (max_tokens)"
    };
    const Time now = clock_.now();
    if (refused_.size() >= kRefusalsMax)
        std::erase_if(refused_, [&](const auto& r) { return r.second.until <= now; });
    if (refused_.size() < kRefusalsMax)
        refused_.insert_or_assign(organisation_id, Refusal{amount, now + kRefusedFor, error});
    return error;
}

std::shared_ptr<Budget::Renewing> Budget::renew(const OrganisationId& organisation_id) {
    const auto found = renewing_.find(organisation_id);
    if (found != renewing_.end()) return found->second;
    auto renewing = std::make_shared<Renewing>(executor_);
    renewing_.emplace(organisation_id, renewing);
    tasks_.spawn(ask_server(organisation_id, renewing));
    return renewing;
}

io::Task<void> Budget::ask_server(
    OrganisationId organisation_id, std::shared_ptr<Renewing> renewing
) {
    renewing->covers = registered_;
    Result<void> result = co_await fetch(organisation_id, false);
    // Servers that grant all or nothing are asked once more, for what one waiting call needs.
    if (!result && result.error().code == ErrorCode::insufficient_funds &&
        demand_.contains(organisation_id))
        result = co_await fetch(organisation_id, true);
    if (!result && result.error().code == ErrorCode::insufficient_funds) {
        renewing->insufficient = true;
        result = {};
    }
    if (!result && result.error().code != ErrorCode::unavailable)
        log_.warning(
            "a budget lease was refused",
            {{"organisation", to_string(organisation_id)}, {"error", to_string(result.error())}}
        );
    if (!result)
        result = fail(
            ErrorCode::unavailable, "the budget cannot be checked now: " + result.error().message
        );
    renewing_.erase(organisation_id);
    renewing->result = std::move(result);
    renewing->done = true;
    renewing->ended.notify_all();
}

io::Task<Result<void>> Budget::fetch(OrganisationId organisation_id, bool least) {
    const auto demand = demand_.find(organisation_id);
    const Demand wanted = demand == demand_.end() ? Demand{} : demand->second;
    const routing::Renewal renewal =
        pool_.begin_renewal(organisation_id, least ? wanted.smallest : wanted.waiting);
    const Money amount = least ? renewal.least : renewal.ask;
    const BudgetLease lease = CO_TRY(co_await server_.acquire_lease(
        {.replica = options_.replica, .organisation_id = organisation_id, .amount = amount}
    ));
    co_return pool_.grant(lease, renewal, clock_.now());
}

io::Task<void> Budget::renew_forever() {
    while (true) {
        co_await io::sleep_for(kSweepInterval);
        const Time now = clock_.now();
        for (const OrganisationId& organisation_id : pool_.sweep(now))
            if (open_) renew(organisation_id);
        std::erase_if(refused_, [&](const auto& refusal) { return refusal.second.until <= now; });
    }
}

}  // namespace penstock::gateway
