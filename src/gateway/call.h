// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "gateway/budget.h"
#include "gateway/gateway_metrics.h"
#include "gateway/idempotency.h"
#include "gateway/key_cache.h"
#include "gateway/spool.h"
#include "routing/call_meter.h"
#include "routing/endpoint_pool.h"

namespace penstock::gateway {

// What every call works with; all of it lives as long as the gateway.
struct CallParts {
    Spool& spool;
    Budget& budget;
    routing::EndpointPool& endpoints;
    IdempotencyWindow& idempotency;
    GatewayMetrics& metrics;
    const Clock& clock;
    std::int64_t& calls_running;
};

// One admitted call: it owns the hold, the attempt in flight and the record, and ends exactly once,
// by finish() or by its destructor (the client has gone, or the server is stopping). Whatever path
// leads there, the attempt is over, a record is in the spool if anything was dispatched, and the
// hold becomes a charge when that record is durable, or is free again.
class Call {
  public:
    struct Admission {
        RequestId id;
        KeyPtr key;
        std::string model;
        bool streamed = false;
        routing::TokenBound bound;
        std::int64_t prompt_text_bytes = 0;
        routing::Hold hold;
        std::optional<IdempotencyWindow::Token> idempotency;
        Time started_at;
        Duration started{};  // the same on the monotonic clock
    };
    Call(CallParts& parts, Admission admission);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // The engine is about to be asked: a marker goes to the spool first, and the price is fixed.
    void dispatch(const routing::EndpointPool::Choice& choice);
    // The attempt ended without a byte for the client; another one may follow.
    void end_attempt(routing::AttemptOutcome outcome);
    void on_first_token();
    routing::CallMeter& meter() { return meter_; }

    // `status` is what the client was told.
    void finish(EndReason reason, int status);

    const CallRecord& record() const { return record_; }
    const ResolvedKey& key() const { return *admission_.key; }
    // What it may cost at most.
    Money cost_max() const { return cost_max_; }
    // The route of the present attempt, as it was when the attempt began.
    const Route& route() const { return *route_; }
    // After finish(): what the call costs, exactly.
    ExactMoney charge() const { return charge_; }

  private:
    void settle(EndReason reason);

    CallParts& parts_;
    Admission admission_;
    CallRecord record_;
    routing::CallMeter meter_;
    std::optional<routing::EndpointPool::Choice> attempt_;
    Duration attempt_started_{};  // on the monotonic clock
    std::shared_ptr<const Route> route_;
    Money cost_max_;
    ExactMoney charge_;
    bool dispatched_ = false;
    bool finished_ = false;
};

}  // namespace penstock::gateway
