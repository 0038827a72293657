// SPDX-License-Identifier: Apache-2.0
#include "gateway/call.h"

#include <algorithm>

#include "base/check.h"
#include "routing/prompt_blocks.h"

namespace penstock::gateway {
namespace {

constexpr int kClientClosedRequest = 499;  // in records only: nobody received it

// Whether the engine is to blame.
routing::AttemptOutcome outcome_of(EndReason reason) {
    switch (reason) {
        case EndReason::done:
        case EndReason::refused:
            return routing::AttemptOutcome::answered;
        case EndReason::upstream_error:
            return routing::AttemptOutcome::failed;
        // The deadline may be the client's own; silence to the breaker's eyes is a failed connect.
        case EndReason::timeout:
        case EndReason::client_gone:
        case EndReason::gateway_crash:
            return routing::AttemptOutcome::abandoned;
    }
    return routing::AttemptOutcome::abandoned;
}

void reduce(CallRecord& record, std::string tariff, std::optional<std::int64_t> percent) {
    constexpr std::int64_t kListPrices = 100;  // what is no longer declared was when it was chosen
    record.tariff = std::move(tariff);
    const Result<void> priced = routing::reduce_prices(record, percent.value_or(kListPrices));
    CHECK(priced.has_value(), "a share of a price that can be rated can be rated");
}

}  // namespace

Call::Call(CallParts& parts, Admission admission)
    : parts_(parts),
      admission_(std::move(admission)),
      meter_(admission_.bound, admission_.prompt_text_bytes) {
    record_.id = admission_.id;
    cost_max_ = admission_.hold.amount();
    record_.lease_id = admission_.hold.wallet_lease();
    if (std::vector<LeaseId> drawn = admission_.hold.drawn(); !drawn.empty())
        record_.drawn = std::move(drawn);
    record_.organisation_id = admission_.key->organisation_id;
    record_.project_id = admission_.key->project_id;
    record_.key_id = admission_.key->key_id;
    record_.model = admission_.model;
    record_.streamed = admission_.streamed;
    record_.started_at = admission_.started_at;
    record_.ended_at = admission_.started_at;
    ++parts_.calls_running;
}

Call::~Call() {
    if (!finished_) finish(EndReason::client_gone, kClientClosedRequest);
}

void Call::dispatch(const routing::EndpointPool::Choice& choice) {
    CHECK(!attempt_, "one attempt at a time");
    attempt_ = choice;
    attempt_started_ = parts_.clock.monotonic();
    route_ = parts_.endpoints.find(choice.endpoint_id);
    CHECK(route_ != nullptr, "an endpoint with a call in flight is kept");
    price_by(route_->endpoint);
    if (admission_.batch) {
        record_.batch_line = admission_.batch->line;
        reduce(record_, "batch", route_->endpoint.batch_percent);
    }
    visit_ = parts_.loads.arrive(
        route_->endpoint, routing::estimated_tokens(admission_.prompt_text_bytes)
    );
    dispatched_ = true;
    // Of a line that nobody reported nothing is charged, and it is run again under the same id.
    if (!admission_.batch) parts_.spool.append_opened(record_);
}

void Call::price_by(const Endpoint& endpoint) {
    record_.endpoint_id = endpoint.id;
    record_.price_input = endpoint.price_input;
    record_.price_output = endpoint.price_output;
    record_.class_prices = endpoint.class_prices;
    record_.price_version = endpoint.price_version;
}

void Call::take_cached(CachedAnswerPtr answer, std::shared_ptr<const Route> route) {
    cached_ = std::move(answer);
    route_ = std::move(route);
    price_by(route_->endpoint);
    reduce(record_, "cached", route_->endpoint.cached_percent);
    dispatched_ = true;
    parts_.spool.append_opened(record_);
}

// A second attempt at an endpoint with the same tokenizer goes on with what was counted.
bool Call::begin_second_meter() {
    const std::optional<std::string>& sha256 = route_->endpoint.tokenizer_sha256;
    if (texts_ && texts_->sha256() == sha256) return false;
    TokenizerShelf::EntryPtr entry = sha256 ? parts_.tokenizers.find(*sha256) : nullptr;
    texts_ = entry ? std::make_unique<TextMeter>(parts_.tokenizers, std::move(entry)) : nullptr;
    return texts_ != nullptr;
}

io::Task<void> Call::count_texts() {
    if (!texts_) co_return;
    record_.counted = co_await texts_->finish();
    std::optional<routing::DeltaCount> output;
    if (record_.counted->output_visible)
        output = {
            .visible = *record_.counted->output_visible,
            .reasoning = record_.counted->output_reasoning.value_or(0)
        };
    meter_.count_texts(record_.counted->input, output);
}

void Call::end_attempt(routing::AttemptOutcome outcome) {
    if (!attempt_) return;
    parts_.endpoints.finish(*attempt_, outcome, parts_.clock.now());
    attempt_.reset();
    if (visit_) parts_.loads.leave(*visit_);
    visit_.reset();
}

void Call::on_first_token() {
    if (record_.ttft_us) return;
    const Duration now = parts_.clock.monotonic();
    record_.ttft_us = (now - admission_.started).count();
    if (visit_ && record_.streamed)
        parts_.loads.first_token(visit_->task_id, now - admission_.started);
    // What comes whole says nothing of its first token.
    if (attempt_ && record_.streamed)
        parts_.endpoints.first_token(*attempt_, now - attempt_started_, parts_.clock.now());
}

void Call::finish(EndReason reason, int status) {
    if (finished_) return;
    finished_ = true;
    --parts_.calls_running;
    end_attempt(outcome_of(reason));
    record_.status = status;
    // Spans are measured on the clock that does not jump.
    record_.ended_at =
        record_.started_at + std::max(Duration{0}, parts_.clock.monotonic() - admission_.started);
    parts_.metrics.on_answer(record_.model, status);
    if (dispatched_)
        settle(reason);
    else
        admission_.hold.release();
    if (admission_.idempotency)
        parts_.idempotency.finish(
            *admission_.idempotency, charge_ > ExactMoney(), parts_.clock.now()
        );
}

void Call::settle(EndReason reason) {
    const routing::MeteredCall metered =
        cached_ ? routing::MeteredCall{cached_->record.tokens, UsageBasis::cached}
                : meter_.finish(reason);
    record_.tokens = metered.tokens;
    record_.basis = metered.basis;
    record_.end_reason = reason;
    const Result<ExactMoney> charge =
        routing::charge_of(record_.tokens, routing::prices_of(record_));
    CHECK(charge.has_value(), "the route table refuses prices that cannot be rated");
    charge_ = *charge;
    if (!cached_) count_load(reason);
    parts_.metrics.on_record(record_, metered.violations);
    if (admission_.recorder && reason == EndReason::done && route_->endpoint.cached_percent)
        admission_.recorder->keep(record_, parts_.clock.now());
    // Classes that are not priced here may be reported beyond the bound: limits count up to it.
    const std::int64_t tokens_max = admission_.bound.input + admission_.bound.output;
    const routing::Actual actual{
        charge_, std::min(routing::total_tokens(record_.tokens), tokens_max)
    };
    admission_.hold.stop_running();
    if (admission_.batch) {
        admission_.batch->record = record_;
        admission_.batch->hold = std::move(admission_.hold);
        admission_.batch->actual = actual;
        return;
    }
    parts_.spool.append_settled(record_, [hold = std::move(admission_.hold), actual]() mutable {
        hold.settle(actual);
    });
}

void Call::count_load(EndReason reason) {
    if (!route_->endpoint.task_id) return;
    LoadMeter::Ended ended{
        .output_tokens =
            record_.tokens.output_visible.value_or(0) + record_.tokens.output_reasoning.value_or(0)
    };
    ended.input_tokens = routing::total_tokens(record_.tokens) - ended.output_tokens;
    if (reason == EndReason::done && record_.streamed && record_.ttft_us && ended.output_tokens > 1)
        ended.gap = (record_.ended_at - record_.started_at - Duration(*record_.ttft_us)) /
                    (ended.output_tokens - 1);
    parts_.loads.end(*route_->endpoint.task_id, ended);
}

}  // namespace penstock::gateway
