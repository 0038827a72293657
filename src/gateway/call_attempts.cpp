// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "gateway/call.h"

// Attempts of a call that are not its own: those that failed before it, or ran beside it. Each is a
// record that names the call, under an id of its own, and is settled with the platform: the user is
// never charged for it. It is written when it is known that the call goes on without it, in one
// piece, so that a crash leaves it whole or not at all.
namespace penstock::gateway {
namespace {

constexpr int kClientClosedRequest = 499;  // in records only: it was cut off

}  // namespace

void Call::end_attempt(const routing::AttemptReport& report) {
    if (admission_.batch) admission_.batch->asked.reset();
    if (!attempt_) return;
    learn_first_token();
    parts_.endpoints.finish(*attempt_, report, parts_.clock.now());
    attempt_.reset();
    if (visit_) parts_.loads.leave(*visit_);
    visit_.reset();
}

void Call::explain_choice() {
    if (!admission_.explained) return;
    const auto name_of = [this](const EndpointId& id) {
        const std::shared_ptr<const Route> route = parts_.endpoints.find(id);
        if (!route) return std::string("an endpoint that has left");
        const Endpoint& endpoint = route->endpoint;
        return endpoint.provider + (endpoint.site.empty() ? "" : " at " + endpoint.site);
    };
    chosen_ = std::make_unique<std::string>(
        routing::explain_to_tenant(parts_.endpoints.last_decision(), name_of)
    );
}

void Call::fail_attempt(const Failure& failure) {
    CHECK(attempt_, "there is one to end");
    failed_ = std::make_unique<EndedAttempt>(
        route_, attempt_started_, parts_.clock.monotonic(), failure, std::move(routing_)
    );
    end_attempt({.outcome = failure.outcome});
}

Call::Beside Call::beside(const routing::EndpointPool::Choice& choice) {
    return {choice, parts_.clock.monotonic(), std::move(chosen_)};
}

void Call::book_lost(Beside attempt) {
    // It was at least so late: what would be learned of it is not known.
    parts_.endpoints.first_token(
        attempt.choice, parts_.clock.monotonic() - attempt.started, parts_.clock.now()
    );
    book_failed(
        std::move(attempt), {.reason = EndReason::client_gone,
                             .status = kClientClosedRequest,
                             .worked = true,
                             .outcome = routing::AttemptOutcome::abandoned}
    );
}

void Call::book_failed(Beside attempt, const Failure& failure) {
    EndedAttempt ended{
        parts_.endpoints.find(attempt.choice.endpoint_id), attempt.started,
        parts_.clock.monotonic(), failure, std::move(attempt.routing)
    };
    parts_.endpoints.finish(attempt.choice, failure.outcome, parts_.clock.now());
    book(ended);
}

void Call::replace_attempt(Beside by, const std::optional<Failure>& failed) {
    CHECK(attempt_, "there is one to replace");
    if (failed) {
        fail_attempt(*failed);
    } else {
        book_lost({*std::exchange(attempt_, std::nullopt), attempt_started_, std::move(routing_)});
        if (visit_) parts_.loads.leave(*visit_);
        visit_.reset();
    }
    chosen_ = std::move(by.routing);
    dispatch(by.choice);
    attempt_started_ = by.started;
}

// What it read is what the gateway counts of the prompt: nobody has told.
void Call::book(const EndedAttempt& attempt) {
    CallRecord record = record_at(attempt.route.get());
    record.id = parts_.ids.next<RequestId>(parts_.clock.now());
    record.attempt_of = admission_.id;
    record.drawn.reset();
    record.ttft_us.reset();
    record.counted.reset();
    record.routing.reset();
    if (attempt.routing) record.routing = *attempt.routing;
    record.started_at = admission_.started_at + (attempt.started - admission_.started);
    record.ended_at = record.started_at + std::max(Duration{0}, attempt.ended - attempt.started);
    record.status = attempt.failure.status;
    record.tokens = {.input_fresh = 0, .output_visible = 0};
    if (attempt.failure.worked)
        record.tokens.input_fresh = admission_.prompt_text_bytes / routing::kPromptBytesPerToken;
    record.basis = attempt.failure.worked ? UsageBasis::estimated : UsageBasis::counted;
    record.end_reason = attempt.failure.reason;
    parts_.metrics.on_attempt(
        record, {.endpoint = attempt.route->endpoint, .embeddings = admission_.embeddings}
    );
    parts_.spool.append_settled(record);
}

}  // namespace penstock::gateway
