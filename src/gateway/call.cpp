// SPDX-License-Identifier: Apache-2.0
#include "gateway/call.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "gateway/departed_calls.h"
#include "gateway/idempotent_call.h"
#include "routing/prompt_blocks.h"

namespace penstock::gateway {
namespace {

constexpr int kClientClosedRequest = 499;  // in records only: nobody received it
constexpr int kStopped = 503;              // likewise, where this process ended the call

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
        case EndReason::gateway_stopped:
            return routing::AttemptOutcome::abandoned;
    }
    return routing::AttemptOutcome::abandoned;
}

void price_by(CallRecord& record, const Endpoint& endpoint) {
    record.endpoint_id = endpoint.id;
    record.price_input = endpoint.price_input;
    record.price_output = endpoint.price_output;
    record.class_prices = endpoint.class_prices;
    record.price_version = endpoint.price_version;
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
      meter_(admission_.bound, admission_.prompt_text_bytes),
      drawn_(admission_.hold.drawn()),
      record_started_(admission_.started),
      cost_max_(admission_.hold.amount()) {
    ++parts_.calls_running;
    if (admission_.batch) admission_.hold.leave_unrecorded();
}

Call::~Call() {
    if (!finished_) finish(left(), parts_.stopping ? kStopped : kClientClosedRequest);
}

void Call::dispatch(const routing::EndpointPool::Choice& choice) {
    CHECK(!attempt_, "one attempt at a time");
    if (failed_) book(*std::exchange(failed_, nullptr));
    description_.reset();
    routing_ = std::move(chosen_);
    attempt_ = choice;
    attempt_started_ = parts_.clock.monotonic();
    route_ = parts_.endpoints.find(choice.endpoint_id);
    CHECK(route_ != nullptr, "an endpoint with a call in flight is kept");
    // A line is no load that a service has to grow for, and of one that nobody reported nothing is
    // charged: it is run again under the same id.
    if (admission_.batch) {
        admission_.batch->asked = choice.endpoint_id;
        return;
    }
    visit_ = parts_.loads.arrive(
        route_->endpoint, routing::estimated_tokens(admission_.prompt_text_bytes)
    );
    if (!std::exchange(unopened_, true)) parts_.opened.add(*this);
}

void Call::record_opened() {
    if (!std::exchange(unopened_, false)) return;
    parts_.opened.remove(*this);
    parts_.spool.append_opened(record_so_far());
}

CallRecord Call::record_at(const Route* route) const {
    const ResolvedKey& key = *admission_.key;
    CallRecord record;
    record.id = admission_.id;
    record.lease_id = admission_.hold.wallet_lease();
    if (!drawn_.empty()) record.drawn = drawn_;
    record.organisation_id = key.organisation_id;
    record.project_id = key.project_id;
    record.key_id = key.key_id;
    record.model = admission_.model;
    record.streamed = admission_.streamed;
    record.started_at = record.ended_at = started_at();
    record.ttft_us = ttft_us_;
    if (counted_) record.counted = *counted_;
    if (!admission_.trace_id.empty()) record.trace_id = admission_.trace_id;
    if (continued_) record.continues = continued_->id;
    if (routing_) record.routing = *routing_;
    if (route == nullptr) return record;
    price_by(record, route->endpoint);
    if (cached_) reduce(record, "cached", route->endpoint.cached_percent);
    if (admission_.batch && !cached_) {
        record.batch_line = admission_.batch->line;
        reduce(record, "batch", route->endpoint.batch_percent);
    }
    return record;
}

void Call::take_cached(CachedAnswerPtr answer, std::shared_ptr<const Route> route) {
    cached_ = std::move(answer);
    route_ = std::move(route);
    parts_.spool.append_opened(record_so_far());
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
    if (!texts_ || counted_) co_return;
    counted_ = std::make_unique<TextTokens>(co_await texts_->finish());
    std::optional<routing::DeltaCount> output;
    if (counted_->output_visible)
        output = {
            .visible = *counted_->output_visible,
            .reasoning = counted_->output_reasoning.value_or(0)
        };
    meter_.count_texts(counted_->input, output);
}

void Call::note_first_token() {
    if (ttft_us_) return;
    ttft_us_ = (parts_.clock.monotonic() - record_started_).count();
    unlearned_ = admission_.streamed;  // what comes whole says nothing of its first token
}

void Call::learn_first_token() {
    if (!std::exchange(unlearned_, false)) return;
    const Duration came = record_started_ + Duration(*ttft_us_);
    if (visit_) parts_.loads.first_token(visit_->task_id, came - record_started_);
    if (attempt_)
        parts_.endpoints.first_token(*attempt_, came - attempt_started_, parts_.clock.now());
}

void Call::finish(EndReason reason, int status) {
    if (finished_) return;
    finished_ = true;
    // The record of its end tells all.
    if (std::exchange(unopened_, false)) parts_.opened.remove(*this);
    --parts_.calls_running;
    parts_.metrics.on_answer(admission_.model, status);
    CallRecord record = record_so_far();
    record.status = status;
    record.ended_at = admission_.started_at + lasted();
    if (route_) {
        settle(record, reason);
    } else {
        end_attempt({.outcome = outcome_of(reason)});
        admission_.hold.release();
    }
    if (admission_.logged) log(record);
    if (admission_.span) export_span(record);
    tell_end(reason);
}

void Call::tell_end(EndReason reason) {
    if (admission_.idempotent)
        return admission_.idempotent->on_ended(
            {.charge = total_, .well = reason == EndReason::done, .joined = continued_ != nullptr}
        );
    if (reason != EndReason::client_gone || total_ <= ExactMoney() || admission_.batch) return;
    parts_.departed.add(
        {.key_id = admission_.key->key_id,
         .model = admission_.model,
         .prompt = admission_.prompt_digest,
         .prompt_text_bytes = admission_.prompt_text_bytes,
         .output_bound = admission_.bound.output},
        admission_.id, total_, parts_.clock.now()
    );
}

// Spans are measured on the clock that does not jump.
Duration Call::lasted() const {
    return std::max(Duration{0}, parts_.clock.monotonic() - admission_.started);
}

// A piece may be more than one token, where a tokenizer has counted them.
std::int64_t Call::output_left(EndReason broken_by) const {
    const std::int64_t made = routing::output_tokens(meter_.finish(broken_by).tokens);
    return admission_.bound.output - std::max(meter_.pieces(), made);
}

bool Call::covers_rest(const Endpoint& endpoint, EndReason broken_by) const {
    const TokenCounts delivered = meter_.finish(broken_by).tokens;
    const Result<ExactMoney> spent =
        routing::charge_of(delivered, routing::prices_of(record_so_far()));
    const Result<ExactMoney> rest = routing::worst_case_exact(
        {.input = admission_.bound.input, .output = output_left(broken_by)},
        routing::prices_of(endpoint)
    );
    if (!spent || !rest) return false;
    const Result<ExactMoney> sum = add(*spent, *rest);
    const Result<Money> most = sum ? ceil_money(*sum) : std::unexpected(sum.error());
    return most && *most <= cost_max_;
}

void Call::continue_on(const GoingOn& by) {
    CHECK(attempt_ && !continued_, "a call is continued once, while it is in flight");
    CallRecord record = record_so_far();
    record.status = 200;
    record.ended_at = admission_.started_at + lasted();
    const Rated rated = rate(record, by.broken_by);
    const GenAiMetrics::Facts facts{
        .endpoint = route_->endpoint,
        .embeddings = admission_.embeddings,
        .attempt = parts_.clock.monotonic() - attempt_started_
    };
    // Whatever the client's own deadline says: it broke off, or was silent for too long.
    end_attempt({.outcome = routing::AttemptOutcome::failed});
    count_load(record, by.broken_by);
    parts_.metrics.on_record(record, facts, rated.metered.violations);
    const std::int64_t left = output_left(by.broken_by);
    const std::int64_t overlap = routing::output_tokens(record.tokens);
    record.continued_by = by.id;
    continued_ = std::make_unique<CallRecord>(std::move(record));
    admission_.id = by.id;
    record_started_ = parts_.clock.monotonic();
    counted_.reset();
    ttft_us_.reset();
    meter_ = routing::CallMeter(
        {.input = admission_.bound.input, .output = left}, admission_.prompt_text_bytes, overlap
    );
    texts_.reset();
    admission_.recorder.reset();  // half an answer is not given again
    silent_ = false;
    // Opened first: a crash between the two leaves neither without the other.
    dispatch(by.choice);
    record_opened();
    parts_.spool.append_settled(*continued_);
    admission_.hold.note_used({total_, routing::total_tokens(continued_->tokens)});
}

// Nothing of what was asked or answered: numbers and names of the platform's own.
void Call::log(const CallRecord& record) const {
    const auto tokens = [](const std::optional<std::int64_t>& count) { return count.value_or(-1); };
    const std::string id = to_string(record.id);
    const std::string endpoint = route_ ? to_string(record.endpoint_id) : std::string();
    const std::string organisation = to_string(record.organisation_id);
    parts_.log.info(
        "call", {{"trace_id", record.trace_id.value_or(std::string())},
                 {"call", id},
                 {"organisation", organisation},
                 {"model", record.model},
                 {"endpoint", endpoint},
                 {"status", record.status},
                 {"streamed", record.streamed},
                 {"first_token_us", tokens(record.ttft_us)},
                 {"duration_us", (record.ended_at - record.started_at).count()},
                 {"input_tokens", tokens(record.tokens.input_fresh)},
                 {"output_tokens", tokens(record.tokens.output_visible)}}
    );
}

// Another engine's answer is not read to its end for the first one's sake.
bool Call::is_billed_to_end() const {
    return attempt_ && !continued_ && meter_.delivered_any() &&
           route_->endpoint.on_disconnect == DisconnectPolicy::drain;
}

routing::LeftCall Call::left_by() const {
    const Endpoint& endpoint = route_->endpoint;
    routing::LeftCall left{
        .policy = endpoint.on_disconnect.value_or(DisconnectPolicy::cancel_count),
        .read_to_end = read_to_end_,
        .habit = parts_.endpoints.habit(endpoint.id)
    };
    // The prompt of a continued call was charged with its first engine's part.
    if (attempt_ && !continued_) left.undelivered = admission_.undelivered;
    return left;
}

Call::Rated Call::rate(CallRecord& record, EndReason reason) {
    const routing::MeteredCall metered =
        cached_ ? routing::MeteredCall{cached_->record.tokens, UsageBasis::cached}
                : meter_.finish(reason, left_by());
    if (reason == EndReason::client_gone && !cached_)
        record.on_disconnect = route_->endpoint.on_disconnect;
    record.tokens = metered.tokens;
    record.basis = metered.basis;
    record.end_reason =
        spared_ && reason == EndReason::upstream_error ? EndReason::refused : reason;
    if (metered.overlap_tokens > 0) record.overlap_tokens = metered.overlap_tokens;
    if (metered.violations != 0 && !meter_.words().empty()) record.raw_usage = meter_.words();
    const Result<ExactMoney> charge = routing::charge_of(record.tokens, routing::prices_of(record));
    CHECK(charge.has_value(), "the route table refuses prices that cannot be rated");
    const Result<ExactMoney> total = add(total_, *charge);
    CHECK(total.has_value(), "the charges of one call are within its hold");
    total_ = *total;
    return {metered, *charge};
}

ExactMoney Call::cost_so_far() const {
    const Result<ExactMoney> charge =
        routing::charge_of(measured(EndReason::done).tokens, routing::prices_of(record_so_far()));
    CHECK(charge.has_value(), "the route table refuses prices that cannot be rated");
    const Result<ExactMoney> total = add(total_, *charge);
    CHECK(total.has_value(), "the charges of one call are within its hold");
    return *total;
}

void Call::settle(CallRecord& record, EndReason reason) {
    const Rated rated = rate(record, reason);
    if (!cached_) {
        end_measured(record, reason, rated.charge);
        count_load(record, reason);
    }
    GenAiMetrics::Facts facts{.endpoint = route_->endpoint, .embeddings = admission_.embeddings};
    if (!cached_) facts.attempt = parts_.clock.monotonic() - attempt_started_;
    parts_.metrics.on_record(record, facts, rated.metered.violations);
    const bool keeps = admission_.idempotent || route_->endpoint.cached_percent;
    if (admission_.recorder && reason == EndReason::done && keeps)
        admission_.recorder->keep(record, parts_.clock.now());
    // Classes that are not priced here may be reported beyond the bound: limits count up to it.
    const std::int64_t tokens_max = admission_.bound.input + admission_.bound.output;
    std::int64_t tokens = routing::total_tokens(record.tokens);
    if (continued_) tokens += routing::total_tokens(continued_->tokens);
    const routing::Actual actual{total_, std::min(tokens, tokens_max)};
    admission_.hold.stop_running();
    if (admission_.batch) {
        admission_.batch->record = record;
        admission_.batch->hold = std::move(admission_.hold);
        admission_.batch->actual = actual;
        return;
    }
    parts_.spool.append_settled(record);
    admission_.hold.settle(actual);
}

void Call::end_measured(const CallRecord& record, EndReason reason, ExactMoney charge) {
    routing::AttemptReport report{
        .outcome = spared_   ? routing::AttemptOutcome::answered
                   : silent_ ? routing::AttemptOutcome::failed
                             : outcome_of(reason)
    };
    const std::int64_t output = routing::output_tokens(record.tokens);
    if (reason == EndReason::done) {
        report.output_tokens = output;
        report.tokens_charged = routing::total_tokens(record.tokens);
        report.charge = charge;
        const double after_first = to_seconds(record.ended_at - record.started_at) -
                                   to_seconds(Duration(record.ttft_us.value_or(0)));
        if (record.streamed && record.ttft_us && output > 1 && after_first > 0)
            report.tokens_per_second = static_cast<double>(output - 1) / after_first;
        if (record.streamed) report.usage = meter_.sample();
    }
    end_attempt(report);
}

void Call::count_load(const CallRecord& record, EndReason reason) {
    if (!route_->endpoint.task_id || admission_.batch) return;
    LoadMeter::Ended ended{.output_tokens = routing::output_tokens(record.tokens)};
    ended.input_tokens = routing::total_tokens(record.tokens) - ended.output_tokens;
    if (reason == EndReason::done && record.streamed && record.ttft_us && ended.output_tokens > 1)
        ended.gap = (record.ended_at - record.started_at - Duration(*record.ttft_us)) /
                    (ended.output_tokens - 1);
    parts_.loads.end(*route_->endpoint.task_id, ended);
}

}  // namespace penstock::gateway
