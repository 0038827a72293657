// SPDX-License-Identifier: Apache-2.0
#include "gateway/continuation.h"

#include "gateway/continuation_marks.h"
#include "gateway/engine_request.h"
#include "gateway/response_state.h"
#include "gateway/second_half.h"
#include "gateway/told_cost.h"
#include "gateway/usage_report.h"
#include "routing/call_limits.h"
#include "routing/prompt_blocks.h"

namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::Json;
using dialects::StreamEvent;

constexpr std::string_view kNobody =
    "no other engine of the model that goes on with answers could take it";

routing::DeltaCount pieces_of(const dialects::StreamFrame& frame) {
    routing::DeltaCount count;
    for (const StreamEvent& event : frame.events)
        if (event.kind == StreamEvent::Kind::delta && !event.text.empty()) ++count.visible;
    return count;
}

const StreamEvent* find_event(const dialects::StreamFrame& frame, StreamEvent::Kind kind) {
    for (const StreamEvent& event : frame.events)
        if (event.kind == kind) return &event;
    return nullptr;
}

// Anthropic's API refuses a last message that ends with white space.
std::string trailing_space(Dialect engine, std::string_view text) {
    if (engine != Dialect::anthropic) return {};
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    return std::string(text.substr(last == std::string_view::npos ? 0 : last + 1));
}

std::string_view word_of(EndReason reason) {
    return reason == EndReason::timeout ? "read_timeout" : "upstream_error";
}

}  // namespace

StreamContinuation::StreamContinuation(ContinuationParts& parts, Options options)
    : parts_(parts), options_(std::move(options)), in_request_(options_.obstacle) {
    if (in_request_.empty()) in_request_ = obstacle_in(options_.request);
}
StreamContinuation::~StreamContinuation() = default;

void StreamContinuation::count(std::string_view outcome) const {
    parts_.registry
        .counter(
            "penstock_gateway_continuations_total",
            "Streams whose engine broke off where another one was to go on, by what became of it.",
            {{"outcome", outcome}}
        )
        .add();
}

std::string StreamContinuation::obstacle_now(EndReason by) const {
    if (!in_request_.empty()) return "the request asks for more than plain text: " + in_request_;
    if (!so_far_.obstacle().empty()) return std::string(so_far_.obstacle());
    if (so_far_.text().empty()) return "nothing had been said yet";
    if (options_.deadline.passed()) return "the call's deadline had passed";
    if (broken_.call->output_left(by) < 1) return "the bound on the output had been reached";
    if (parts_.running >= ContinuationParts::kRunningMax)
        return "too many answers are being gone on with at this time";
    return {};
}

io::Task<EndReason> StreamContinuation::go_on(Broken broken, http::BodyWriter writer) {
    broken_ = std::move(broken);
    Call& call = *broken_.call;
    // Counted before the rest is reserved: a piece may be more than one token.
    if (call.answer_texts() != nullptr) co_await call.count_texts();
    why_not_ = obstacle_now(broken_.by);
    std::optional<Next> next;
    if (why_not_.empty()) next = choose(broken_.by);
    if (!next) {
        why_not_ = "not continued: " + (why_not_.empty() ? std::string(kNobody) : why_not_);
        count("refused");
        co_return broken_.by;
    }
    const Counted running(parts_.running);
    provider_before_ = call.route().endpoint.provider;
    call.continue_on(
        {.choice = next->choice,
         .id = parts_.ids.next<RequestId>(parts_.calls.clock.now()),
         .broken_by = broken_.by}
    );
    call.count_prompt([&] { return TextMeter::Prompt{options_.client, false, options_.body}; });
    next->request.headers.set("X-Request-Id", to_string(call.id()));
    engine_ = dialect_of_protocol(next->route->endpoint.protocol);
    reader_ = dialects::make_stream_reader(engine_, "call_" + to_string(call.id()) + "_");
    half_ = std::make_unique<SecondHalf>(so_far_, std::move(next->left_out));
    writer_ = broken_.writer;
    if (broken_.losses != nullptr) losses_ = *broken_.losses;
    if (writer_ == nullptr) {
        own_writer_ = so_far_.writer(options_.client, options_.context);
        writer_ = own_writer_.get();
    }
    // The client's stream has begun: for its first content this engine has the time that it has for
    // any other, and no attempt follows for which time would be kept.
    EngineAsk ask{
        .request = std::move(next->request),
        .engine = engine_,
        .streamed = true,
        .deadline = options_.deadline,
        .first_content = io::earlier(options_.deadline, io::Deadline::after(silence_max()))
    };
    const std::optional<EndReason> end =
        co_await broken_.client.unless_gone(carry(std::move(ask), writer));
    // A client may leave as soon as it has seen the end.
    const EndReason reason = end.value_or(ended_ ? EndReason::done : call.left());
    if (reason == EndReason::upstream_error || reason == EndReason::timeout)
        if (why_not_.empty()) why_not_ = "the engine that went on broke off as well";
    count(reason == EndReason::done ? "done" : reason == call.left() ? "left" : "failed");
    co_return reason;
}

// Only what says that it can, and what the hold covers beside what was delivered.
std::optional<StreamContinuation::Next> StreamContinuation::choose(EndReason by) {
    Call& call = *broken_.call;
    routing::EndpointPool& endpoints = parts_.calls.endpoints;
    const Time now = parts_.calls.clock.now();
    const std::string& model = call.model();
    std::vector<EndpointId> excluded{call.route().endpoint.id};
    for (const std::shared_ptr<const Route>& route : endpoints.routes(model))
        if (!route->endpoint.continuation) excluded.push_back(route->endpoint.id);
    const routing::EndpointLists lists(call.key());
    const std::int64_t text_bytes = dialects::prompt_size(options_.request).text_bytes +
                                    static_cast<std::int64_t>(so_far_.text().size());
    while (true) {
        const routing::EndpointQuery query{
            .model = model,
            .input_price_max = options_.limits.input_price_max,
            .output_price_max = options_.limits.output_price_max,
            .excluded = excluded,
            .providers = lists.providers(),
            .sites = lists.sites(),
            .preferences = options_.wishes.provider ? &*options_.wishes.provider : nullptr,
            .prompt_tokens = routing::estimated_tokens(text_bytes),
            .remembers_prompt = false
        };
        const Result<routing::EndpointPool::Choice> choice =
            endpoints.choose(query, now, parts_.random);
        parts_.calls.metrics.on_choice(endpoints.last_decision());
        if (!choice) return std::nullopt;
        Next next{.choice = *choice, .route = endpoints.find(choice->endpoint_id)};
        const Endpoint& endpoint = next.route->endpoint;
        const Dialect engine = dialect_of_protocol(endpoint.protocol);
        next.left_out = trailing_space(engine, so_far_.text());
        const std::string_view text = std::string_view(so_far_.text())
                                          .substr(0, so_far_.text().size() - next.left_out.size());
        std::optional<std::string> body;
        if (!text.empty() && call.covers_rest(endpoint, by))
            body = body_to_go_on(
                {.request = &options_.request,
                 .endpoint = &endpoint,
                 .text = text,
                 .left = call.output_left(by),
                 .drops = options_.drops}
            );
        if (body) {
            next.request = request_to(
                {.route = next.route.get(),
                 .engine = engine,
                 .passed = options_.client == engine ? &options_.passed : nullptr,
                 .trace = &options_.trace}
            );
            next.request.body = *std::move(body);
            call.explain_choice();
            return next;
        }
        endpoints.finish(*choice, routing::AttemptOutcome::abandoned, now);
        excluded.push_back(choice->endpoint_id);
    }
}

// ---- the second engine's stream ----

Duration StreamContinuation::silence_max() const {
    return options_.limits.stream.read_timeout.value_or(kReadTimeoutDefault);
}

io::Task<EndReason> StreamContinuation::carry(EngineAsk ask, http::BodyWriter writer) {
    EngineAnswer answer = co_await ask_engine(&parts_.upstream, std::move(ask));
    if (!answer.streams || !answer.is_content()) {
        why_not_ = "the engine that was to go on did not answer";
        if (answer.outcome == EngineAnswer::Outcome::answered)
            why_not_ = "the engine that was to go on answered with status " +
                       std::to_string(answer.stream->status());
        if (answer.outcome != EngineAnswer::Outcome::late) co_return EndReason::upstream_error;
        if (!options_.deadline.passed()) broken_.call->on_silence();
        co_return EndReason::timeout;
    }
    upstream_ = std::move(answer.stream);
    opening_ = std::move(answer.opening);
    co_return co_await pump(writer);
}

io::Task<EndReason> StreamContinuation::pump(http::BodyWriter writer) {
    if (const End end = co_await take(opening_, writer)) co_return *end;
    opening_ = {};
    while (true) {
        const io::Deadline deadline =
            io::earlier(options_.deadline, io::Deadline::after(ended_ ? kDrainFor : silence_max()));
        const Result<std::string_view> piece = co_await upstream_->read_piece(deadline);
        if (ended_ && (!piece || piece->empty())) co_return EndReason::done;
        if (!piece) {
            if (piece.error().code != ErrorCode::deadline_exceeded)
                co_return EndReason::upstream_error;
            if (!options_.deadline.passed()) broken_.call->on_silence();
            co_return EndReason::timeout;
        }
        if (piece->empty()) {
            // An end that the engine meant, where it had given a reason to stop.
            if (reader_->close().events.empty()) co_return EndReason::upstream_error;
            const End end = co_await finish(writer);
            co_return end.value_or(EndReason::done);
        }
        if (const End end = co_await take(*piece, writer)) co_return *end;
    }
}

io::Task<StreamContinuation::End> StreamContinuation::take(
    std::string_view bytes, http::BodyWriter writer
) {
    if (engine_ == Dialect::ollama) {
        if (!lines_.feed(bytes)) co_return EndReason::upstream_error;
        while (const auto line = lines_.next())
            if (const End end = co_await pass({}, *line, writer)) co_return end;
        co_return std::nullopt;
    }
    if (!events_.feed(bytes)) co_return EndReason::upstream_error;
    while (const auto event = events_.next())
        if (const End end = co_await pass(event->event, event->data, writer)) co_return end;
    co_return std::nullopt;
}

io::Task<StreamContinuation::End> StreamContinuation::pass(
    std::string_view name, std::string_view data, http::BodyWriter writer
) {
    if (ended_) co_return std::nullopt;  // nothing follows the end
    Call& call = *broken_.call;
    const Result<dialects::StreamFrame> frame = reader_->read(name, data);
    const Result<dialects::StreamFrame> half =
        frame ? half_->take(*frame) : std::unexpected(frame.error());
    if (!half) {
        why_not_ = half.error().message;
        co_return EndReason::upstream_error;
    }
    const routing::DeltaCount pieces = pieces_of(*half);
    if (const StreamEvent* usage = find_event(*frame, StreamEvent::Kind::usage))
        report_usage(call.meter(), usage->usage, pieces);
    if (!pieces.empty()) call.on_first_token();
    out_.clear();
    if (const Result<void> written = writer_->write(*half, out_); !written) {
        why_not_ = written.error().message;
        co_return EndReason::upstream_error;
    }
    const dialects::Losses lost = writer_->take_losses();
    if (!lost.said.empty() && !options_.drops) {
        why_not_ = dialects::answer_refusal(lost.said, options_.client);
        call.spare_engine();
        co_return EndReason::upstream_error;
    }
    losses_.add(lost, options_.client, out_);
    if (!out_.empty()) {
        mark_beginning();
        if (const End end = co_await send(writer)) co_return end;
    }
    call.meter().deliver(pieces);
    if (routing::AnswerTexts* texts = call.answer_texts())
        for (const StreamEvent& event : half->events)
            if (event.kind == StreamEvent::Kind::delta)
                texts->add(0, routing::AnswerTexts::Side::visible, event.text);
    if (half_->ended()) co_return co_await finish(writer);
    co_return std::nullopt;
}

// The end of both halves: usage of both together, and who made what.
io::Task<StreamContinuation::End> StreamContinuation::finish(http::BodyWriter writer) {
    Call& call = *broken_.call;
    // Counted before the client is told: it is told what it is charged.
    if (call.answer_texts() != nullptr) co_await call.count_texts();
    StreamEvent usage = dialects::event_of(StreamEvent::Kind::usage);
    usage.usage.tokens = call.measured(EndReason::done).tokens;
    usage.usage.tokens.output_visible = usage.usage.tokens.output_visible.value_or(0) +
                                        routing::output_tokens(call.continued()->tokens);
    dialects::StreamFrame last;
    last.events.push_back(std::move(usage));
    last.events.push_back(dialects::event_of(StreamEvent::Kind::end));
    out_.clear();
    if (const Result<void> written = writer_->write(last, out_); !written) {
        why_not_ = written.error().message;
        co_return EndReason::upstream_error;
    }
    if (broken_.keep)
        if (std::optional<std::string> answer = ended_response(out_)) {
            const ApiResult<void> kept = co_await broken_.keep(*std::move(answer));
            if (!kept) {
                why_not_ = kept.error().message;
                call.spare_engine();
                co_return EndReason::upstream_error;
            }
        }
    if (options_.client == Dialect::chat || options_.client == Dialect::responses)
        tell_cost(out_, call.cost_so_far());
    Json mark = attempts();
    // A line has one member for both.
    if (options_.client == Dialect::ollama && !std::exchange(marked_, true))
        merge(*mark.if_object(), *beginning().if_object());
    if (!losses_.empty()) merge(*mark.if_object(), *losses_.mark().if_object());
    mark_usage(out_, options_.client, mark);
    mark_beginning();
    if (const End end = co_await send(writer)) co_return end;
    ended_ = true;
    co_return std::nullopt;
}

io::Task<StreamContinuation::End> StreamContinuation::send(http::BodyWriter writer) {
    if (!co_await writer.write(out_)) co_return EndReason::client_gone;
    co_return std::nullopt;
}

void StreamContinuation::mark_beginning() {
    if (!std::exchange(marked_, true)) mark_continued(out_, options_.client, beginning());
}

Json StreamContinuation::beginning() const {
    const CallRecord& first = *broken_.call->continued();
    const Endpoint& endpoint = broken_.call->route().endpoint;
    return Json::Object{
        {"continued",
         Json::Object{
             {"call", to_string(first.id)},
             {"by", to_string(broken_.call->id())},
             {"provider", endpoint.provider},
             {"endpoint", to_string(endpoint.id)},
             {"reason", word_of(first.end_reason)},
             {"output_tokens", routing::output_tokens(first.tokens)}
         }}
    };
}

Json StreamContinuation::attempts() const {
    const auto shown = [](const RequestId& id, const EndpointId& endpoint,
                          const TokenCounts& tokens, const std::string& provider,
                          std::string_view reason) {
        return Json::Object{
            {"call", to_string(id)},
            {"provider", provider},
            {"endpoint", to_string(endpoint)},
            {"end_reason", reason},
            {"input_tokens", routing::input_tokens(tokens)},
            {"output_tokens", routing::output_tokens(tokens)},
        };
    };
    const Call& call = *broken_.call;
    const CallRecord& first = *call.continued();
    const routing::MeteredCall second = call.measured(EndReason::done);
    const Endpoint& endpoint = call.route().endpoint;
    Json::Object last = shown(call.id(), endpoint.id, second.tokens, endpoint.provider, "done");
    last.push_back({"overlap_tokens", second.overlap_tokens});
    return Json::Object{
        {"attempts",
         Json::Array{
             shown(
                 first.id, first.endpoint_id, first.tokens, provider_before_,
                 word_of(first.end_reason)
             ),
             std::move(last)
         }}
    };
}

void describe_continuation(http::Response& response, const StreamContinuation* continuation) {
    if (continuation == nullptr) return;
    const std::string& obstacle = continuation->obstacle();
    add_penstock_header(response, "stream-failure", obstacle.empty() ? "continue" : "terminate");
    add_penstock_header(response, "continue-refused", obstacle);
}

bool is_told(EndReason reason) {
    return reason == EndReason::upstream_error || reason == EndReason::timeout ||
           reason == EndReason::gateway_stopped;
}

dialects::StreamFailure failure_of(
    EndReason reason, std::optional<Duration> silence, std::string_view why_not
) {
    const bool late = reason == EndReason::timeout;
    dialects::StreamFailure failure{
        .status = late ? 504 : 502,
        .type = late ? "timeout_error" : "server_error",
        .code = late ? "deadline_exceeded" : "upstream_error",
        .message = late ? "the call's deadline passed before the answer was complete"
                        : "the engine broke off before the answer was complete"
    };
    if (reason == EndReason::gateway_stopped)
        failure = {
            .status = 503,
            .type = "server_error",
            .code = "gateway_stopped",
            .message = "this gateway was stopped before the answer was complete"
        };
    if (late && silence) {
        failure.code = "read_timeout";
        failure.message =
            "the engine was silent for " + to_string(*silence) + " before the answer was complete";
    }
    if (!why_not.empty()) failure.message += "; " + std::string(why_not);
    return failure;
}

}  // namespace penstock::gateway
