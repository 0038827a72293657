// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/id.h"
#include "base/time.h"
#include "gateway/answer_recorder.h"
#include "gateway/batch_call.h"
#include "gateway/budget.h"
#include "gateway/gateway_metrics.h"
#include "gateway/key_cache.h"
#include "gateway/load_meter.h"
#include "gateway/opened_calls.h"
#include "gateway/spool.h"
#include "gateway/text_meter.h"
#include "http/headers.h"
#include "routing/call_meter.h"
#include "routing/endpoint_pool.h"
#include "telemetry/log.h"
#include "telemetry/span.h"

namespace penstock::gateway {

class DepartedCalls;
class IdempotentCall;
class LeftStreams;
class SpanExporter;

// One more in `count` for as long as it lives.
class Counted {
  public:
    explicit Counted(std::int64_t& count) : count_(count) { ++count_; }
    ~Counted() { --count_; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

  private:
    std::int64_t& count_;
};

// What every call works with; all of it lives as long as the gateway.
struct CallParts {
    Spool& spool;
    OpenedCalls& opened;
    Budget& budget;
    routing::EndpointPool& endpoints;
    DepartedCalls& departed;
    AnswerRoom& answer_room;
    GatewayMetrics& metrics;
    const Clock& clock;
    std::int64_t& calls_running;
    // From admission until the answer is known: also where there is no call yet, or none any more
    // and the request's next model is asked.
    std::int64_t& requests_open;
    LoadMeter& loads;
    TokenizerShelf& tokenizers;
    const telemetry::Logger& log;
    const bool& draining;
    LeftStreams& left_streams;
    SpanExporter& spans;
    const bool& stopping;  // whoever is cut off now is cut off by the end of this process
    IdSource& ids;
};

// One admitted call: it owns the hold, the attempt in flight and the record, and ends exactly once,
// by finish() or by its destructor (the client has gone, or the server is stopping). Whatever path
// leads there, the attempt is over, a record is in the spool if anything was dispatched, and the
// hold becomes a charge when that record is durable, or is free again.
class Call {
  public:
    struct Admission {
        RequestId id;  // later of the present attempt
        KeyPtr key;
        std::string model;
        bool streamed = false;
        bool embeddings = false;
        routing::TokenBound bound;
        std::int64_t prompt_text_bytes = 0;
        routing::Hold hold;
        // Shared with the request; null: without an Idempotency-Key.
        std::shared_ptr<IdempotentCall> idempotent;
        routing::BlockHash prompt_digest = 0;      // CallPrompt::digest
        BatchCallPtr batch;                        // null: an interactive call
        std::unique_ptr<AnswerRecorder> recorder;  // null: its answer is not kept
        std::string_view cache_word;               // what the client is told of that
        Time started_at;
        Duration started{};    // the same on the monotonic clock
        std::string trace_id;  // W3C Trace Context; stands in its record
        bool logged = false;
        Undelivered undelivered = Undelivered::free;
        std::unique_ptr<telemetry::Span> span;  // null: not told to anybody
        bool explained = false;                 // its records tell how it found its engines
    };
    Call(CallParts& parts, Admission admission);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // Right after an endpoint was chosen for it, where that may become an attempt: how.
    void explain_choice();
    // The engine is about to be asked: the price is fixed, and a marker goes to the spool when the
    // caller has done so (OpenedCalls), by record_opened() if that has to be sooner.
    void dispatch(const routing::EndpointPool::Choice& choice);
    void record_opened();
    // Instead of an attempt: the client gets a kept answer, at that share of the route's prices.
    void take_cached(CachedAnswerPtr answer, std::shared_ptr<const Route> route);
    // How an attempt ended of which the client was told nothing.
    struct Failure {
        EndReason reason = EndReason::upstream_error;  // or timeout, refused
        int status = 0;                                // what the engine answered; 0: nothing
        // It had the prompt and was cut off while it worked: its supplier is paid for that much.
        bool worked = false;
        routing::AttemptOutcome outcome = routing::AttemptOutcome::failed;
    };
    // The attempt in flight has ended so. With dispatch() of the next one it becomes a record of
    // its own (call_attempts.cpp); where none follows, the call's record tells of it.
    void fail_attempt(const Failure& failure);
    // An attempt beside the call's own, for a hedge.
    struct Beside {
        routing::EndpointPool::Choice choice;
        Duration started{};  // on the monotonic clock
        std::unique_ptr<std::string> routing;
    };
    // It is about to be asked.
    Beside beside(const routing::EndpointPool::Choice& choice);
    // It lost to the call's own attempt, or its client has gone: it is cut off.
    void book_lost(Beside attempt);
    void book_failed(Beside attempt, const Failure& failure);
    // The attempt in flight is over and the other one, which ran beside it, is the call's own from
    // now on. Without `failed` it was slower.
    void replace_attempt(Beside by, const std::optional<Failure>& failed);
    // The engine in flight broke off when the client had a part of its answer, and another one goes
    // on with it, once. What was delivered is a record of its own, under the id that the call has
    // had; from now on the call is the second attempt, under `by.id`, and its meter begins anew.
    struct GoingOn {
        routing::EndpointPool::Choice choice;
        RequestId id;
        EndReason broken_by = EndReason::upstream_error;
    };
    void continue_on(const GoingOn& by);
    // Whether the hold covers what was delivered and the worst case of the rest at `endpoint`.
    bool covers_rest(const Endpoint& endpoint, EndReason broken_by) const;
    // Of the bound on the output, if the attempt ended now.
    std::int64_t output_left(EndReason broken_by) const;
    // The record of the engine that broke off; null: none did, or nobody went on.
    const CallRecord* continued() const { return continued_.get(); }
    // What a client is told of both attempts together, if it ended now: the input once.
    routing::MeteredCall measured(EndReason reason) const { return meter_.finish(reason); }

    // It has come; where it came in a stream, what it says of the engine is learned from it later,
    // when the client has it: by learn_first_token(), or at the attempt's end.
    void note_first_token();
    void learn_first_token();
    void on_first_token() {
        note_first_token();
        learn_first_token();
    }
    // The engine in flight was silent for longer than a stream may be.
    void on_silence() { silent_ = true; }
    // Whether the stream in flight is to be read on, now that its client has left.
    bool is_billed_to_end() const;
    void on_read_to_end() { read_to_end_ = true; }
    // What ends the call is none of the engine's fault: its client's dialect cannot say the answer,
    // or the turn cannot be kept. What was delivered of a stream is charged as where an engine
    // breaks off, and the record says `refused`.
    void spare_engine() { spared_ = true; }
    // What the client is sent, as it is written.
    void sent(std::string_view bytes) {
        if (admission_.recorder) admission_.recorder->add(bytes);
    }
    routing::CallMeter& meter() { return meter_; }
    LeftStreams& left_streams() { return parts_.left_streams; }

    // Where the endpoint's tokenizer is loaded, texts are counted beside what the engine tells.
    // After dispatch(): the prompt, for which `prompt` is asked only then.
    template <class MakePrompt>
    void count_prompt(MakePrompt&& prompt) {
        if (begin_second_meter()) texts_->count_prompt(prompt());
    }
    // The texts that the client receives; nothing where none are counted.
    routing::AnswerTexts* answer_texts() { return texts_ ? &texts_->answer() : nullptr; }
    // Before finish(), so that the record has both counts, and when the client has received all;
    // once for each attempt. Not where the client received nothing.
    io::Task<void> count_texts();

    // Why its client, whom nothing more is sent, gets no more: it has gone, or this process ends.
    EndReason left() const {
        return parts_.stopping ? EndReason::gateway_stopped : EndReason::client_gone;
    }
    // `status` is what the client was told.
    void finish(EndReason reason, int status);

    // Of the record of the present attempt.
    const RequestId& id() const { return admission_.id; }
    Time started_at() const { return continued_ ? continued_->ended_at : admission_.started_at; }
    const std::string& model() const { return admission_.model; }
    const ResolvedKey& key() const { return *admission_.key; }
    std::string_view cache_word() const { return admission_.cache_word; }
    // Endpoints that it may not be sent to, whatever its limits say.
    std::vector<EndpointId> excluded() const {
        return admission_.batch ? admission_.batch->excluded : std::vector<EndpointId>();
    }
    // What it may cost at most.
    Money cost_max() const { return cost_max_; }
    // What the client is told of the present attempt with its answer's header, made beforehand.
    void keep_description(std::unique_ptr<http::Headers> headers) {
        description_ = std::move(headers);
    }
    std::unique_ptr<http::Headers> take_description() { return std::move(description_); }
    Duration attempt_lasted() const { return parts_.clock.monotonic() - attempt_started_; }
    // The route of the present attempt, as it was when the attempt began.
    const Route& route() const { return *route_; }
    // Before finish(): what it would cost, all its attempts together, if it ended well now.
    ExactMoney cost_so_far() const;
    // After finish(): what the call costs, exactly, all its attempts together.
    ExactMoney charge() const { return total_; }

  private:
    // What an attempt's end says of it.
    struct Rated {
        routing::MeteredCall metered;
        ExactMoney charge;
    };
    // An attempt that another one follows, or ran beside.
    struct EndedAttempt {
        std::shared_ptr<const Route> route;
        Duration started{};  // on the monotonic clock
        Duration ended{};
        Failure failure;
        std::unique_ptr<std::string> routing;
    };
    // The record of the present attempt, without what only its end tells. It is made when it is
    // written and not kept: most of the time a call waits, and there may be many.
    CallRecord record_so_far() const { return record_at(route_.get()); }
    CallRecord record_at(const Route* route) const;
    void end_attempt(const routing::AttemptReport& report);
    void book(const EndedAttempt& attempt);
    void settle(CallRecord& record, EndReason reason);
    // Whoever waits for the request's key, or may send it again.
    void tell_end(EndReason reason);
    // How the attempt in flight is charged if its client has left.
    routing::LeftCall left_by() const;
    // Tokens, basis and end of the attempt's record, and its charge.
    Rated rate(CallRecord& record, EndReason reason);
    Duration lasted() const;
    // The attempt's end, with what it has shown.
    void end_measured(const CallRecord& record, EndReason reason, ExactMoney charge);
    void count_load(const CallRecord& record, EndReason reason);
    bool begin_second_meter();
    void log(const CallRecord& record) const;
    void export_span(const CallRecord& record);

    CallParts& parts_;
    Admission admission_;
    routing::CallMeter meter_;
    std::optional<routing::EndpointPool::Choice> attempt_;
    std::optional<LoadMeter::Visit> visit_;
    std::unique_ptr<TextMeter> texts_;
    std::unique_ptr<TextTokens> counted_;  // by the second meter
    std::vector<LeaseId> drawn_;           // beside the wallet's, as they were when it was admitted
    std::optional<std::int64_t> ttft_us_;  // of the present attempt
    Duration attempt_started_{};           // on the monotonic clock
    Duration record_started_{};            // likewise
    std::shared_ptr<const Route> route_;   // null: not dispatched
    CachedAnswerPtr cached_;               // null: an engine is asked
    Money cost_max_;
    ExactMoney total_;                       // of all attempts
    std::unique_ptr<CallRecord> continued_;  // the record of the one that it goes on with
    std::unique_ptr<EndedAttempt> failed_;   // the last one, until another one follows
    std::unique_ptr<std::string> chosen_;    // how, of the attempt that is next
    std::unique_ptr<std::string> routing_;   // of the present one; null: not kept
    std::unique_ptr<http::Headers> description_;
    bool unopened_ = false;   // the spool does not have it yet
    bool unlearned_ = false;  // its first token, that is
    bool silent_ = false;
    bool read_to_end_ = false;  // after its client had left
    bool spared_ = false;
    bool finished_ = false;
};

}  // namespace penstock::gateway
