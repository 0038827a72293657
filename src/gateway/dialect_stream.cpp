// SPDX-License-Identifier: Apache-2.0
#include "gateway/dialect_stream.h"

#include <algorithm>

#include "dialects/documents.h"
#include "dialects/splice.h"
#include "gateway/continuation_marks.h"
#include "gateway/response_state.h"
#include "gateway/told_cost.h"
#include "gateway/usage_report.h"

namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::Json;
using dialects::StreamEvent;

const StreamEvent* find_event(const dialects::StreamFrame& frame, StreamEvent::Kind kind) {
    for (const StreamEvent& event : frame.events)
        if (event.kind == kind) return &event;
    return nullptr;
}

}  // namespace

DialectStream::DialectStream(
    std::unique_ptr<Call> call, http::ResponseStream upstream, http::ClientWatch client,
    Options options
)
    : call_(std::move(call)),
      upstream_(std::move(upstream)),
      client_(client),
      options_(std::move(options)),
      reader_(dialects::make_stream_reader(options_.engine, "call_" + to_string(call_->id()) + "_")
      ),
      writer_(dialects::make_stream_writer(options_.engine, options_.client, options_.context)),
      told_(options_.engine, options_.client) {}

io::Task<void> DialectStream::run(std::unique_ptr<DialectStream> self, http::BodyWriter writer) {
    End reason = co_await self->client_.unless_gone(self->pump(writer));
    // A client may leave as soon as it has seen the end.
    if (!reason) reason = self->ended_ ? EndReason::done : self->call_->left();
    reason = co_await self->go_on(*reason, writer);
    if (reason == EndReason::client_gone && self->call_->is_billed_to_end()) {
        writer.abort();
        co_await self->read_on();
    }
    if (self->call_->answer_texts() != nullptr && self->call_->meter().delivered_any())
        co_await self->call_->count_texts();
    // The record comes first: the client is told nothing that was not accounted for.
    self->call_->finish(*reason, 200);
    if (is_told(*reason))
        co_await self->tell_error(*reason, writer);
    else if (*reason == EndReason::client_gone)
        writer.abort();
}

io::Task<EndReason> DialectStream::go_on(EndReason broken_by, http::BodyWriter writer) {
    const bool broken = broken_by == EndReason::upstream_error || broken_by == EndReason::timeout;
    if (!broken || !options_.continuation || options_.deadline.passed()) co_return broken_by;
    // Closed, so that a silent engine does not work on for nobody.
    {
        const http::ResponseStream closed = std::move(upstream_);
    }
    const EndReason end = co_await options_.continuation->go_on(
        {.call = call_.get(),
         .by = broken_by,
         .client = client_,
         .writer = converts() ? writer_.get() : nullptr,
         .losses = &losses_,
         .keep = options_.keep},
        writer
    );
    if (call_->continued() != nullptr) {
        held_error_.clear();
        problem_.clear();
        failure_.reset();
    }
    co_return end;
}

io::Task<void> DialectStream::read_on() {
    // Events that were there when the client left come first.
    const LeftStreams::Came there = read_left({});
    if (there == LeftStreams::Came::end) call_->on_read_to_end();
    if (there != LeftStreams::Came::more) co_return;
    const bool whole = co_await call_->left_streams().read_to_end(
        &upstream_, options_.deadline,
        [this](std::string_view bytes) {
            return bytes.empty() ? LeftStreams::Came::nonsense : read_left(bytes);
        }
    );
    if (whole) call_->on_read_to_end();
}

LeftStreams::Came DialectStream::read_left(std::string_view bytes) {
    using Came = LeftStreams::Came;
    Came came = Came::more;
    if (options_.engine == Dialect::ollama) {
        if (!lines_.feed(bytes)) return Came::nonsense;
        while (const auto line = lines_.next())
            if (came = read_left_event({}, *line); came != Came::more) return came;
        return came;
    }
    if (!events_.feed(bytes)) return Came::nonsense;
    while (const auto event = events_.next())
        if (came = read_left_event(event->event, event->data); came != Came::more) return came;
    return came;
}

LeftStreams::Came DialectStream::read_left_event(std::string_view name, std::string_view data) {
    using Came = LeftStreams::Came;
    const Result<dialects::StreamFrame> frame = reader_->read(name, data);
    if (!frame || find_event(*frame, StreamEvent::Kind::error) != nullptr) return Came::nonsense;
    if (const StreamEvent* usage = find_event(*frame, StreamEvent::Kind::usage))
        report_usage(call_->meter(), usage->usage, told_.untold(*frame));
    return find_event(*frame, StreamEvent::Kind::end) != nullptr ? Came::end : Came::more;
}

io::Task<EndReason> DialectStream::pump(http::BodyWriter writer) {
    if (const End end = co_await take(options_.opening, writer)) co_return *end;
    options_.opening = {};
    while (true) {
        const std::optional<Duration> within =
            ended_ ? std::optional(kDrainFor) : options_.read_timeout;
        const io::Deadline deadline =
            within ? io::earlier(options_.deadline, io::Deadline::after(*within))
                   : options_.deadline;
        const Result<std::string_view> piece = co_await upstream_.read_piece(deadline);
        if (ended_ && (!piece || piece->empty())) co_return EndReason::done;
        if (!piece && piece.error().code == ErrorCode::deadline_exceeded) {
            if (!options_.deadline.passed()) call_->on_silence();
            co_return EndReason::timeout;
        }
        if (!piece) co_return EndReason::upstream_error;
        if (piece->empty()) {
            // An end that the engine meant, where it had given a reason to stop.
            dialects::StreamFrame last = reader_->close();
            if (last.events.empty()) co_return EndReason::upstream_error;
            if (!converts()) co_return EndReason::done;
            co_await add_own_usage(&last);
            const End end = co_await send(&last, writer);
            co_return end.value_or(EndReason::done);
        }
        if (const End end = co_await take(*piece, writer)) co_return *end;
    }
}

io::Task<DialectStream::End> DialectStream::take(std::string_view bytes, http::BodyWriter writer) {
    if (options_.engine == Dialect::ollama) {
        if (!lines_.feed(bytes)) co_return EndReason::upstream_error;
        while (const auto line = lines_.next())
            if (const End end = co_await pass({}, *line, *line, writer)) co_return end;
        co_return std::nullopt;
    }
    if (!events_.feed(bytes)) co_return EndReason::upstream_error;
    while (const auto event = events_.next())
        if (const End end = co_await pass(event->event, event->data, event->raw, writer))
            co_return end;
    co_return std::nullopt;
}

io::Task<DialectStream::End> DialectStream::pass(
    std::string_view name, std::string_view data, std::string_view raw, http::BodyWriter writer
) {
    if (ended_) co_return std::nullopt;  // nothing follows the end
    Result<dialects::StreamFrame> frame = reader_->read(name, data);
    if (!frame) {
        problem_ = frame.error().message;
        co_return EndReason::upstream_error;
    }
    const routing::DeltaCount untold = told_.untold(*frame);
    if (const StreamEvent* usage = find_event(*frame, StreamEvent::Kind::usage)) {
        report_usage(call_->meter(), usage->usage, untold);
        usage_seen_ = true;
    }
    const StreamEvent* error = find_event(*frame, StreamEvent::Kind::error);
    if (error != nullptr) {
        failure_ = dialects::failure_of(*error);
        if (converts()) co_return EndReason::upstream_error;
    }
    if (!untold.empty()) call_->on_first_token();
    if (converts()) {
        co_await add_own_usage(&*frame);
        if (const End end = co_await send(&*frame, writer)) co_return end;
    } else {
        out_ = renamed(*frame, name, data, raw);
        if (error != nullptr && options_.continuation) {
            held_error_ = out_;
            co_return EndReason::upstream_error;
        }
        if (options_.is_kept) call_->sent(out_);
        if (!co_await writer.write(out_)) co_return EndReason::client_gone;
    }
    call_->meter().deliver(told_.tell(*frame, call_->answer_texts()));
    if (options_.continuation) options_.continuation->received(*frame);
    ended_ = ended_ || find_event(*frame, StreamEvent::Kind::end) != nullptr;
    if (error == nullptr) co_return std::nullopt;
    error_passed_ = true;
    co_return EndReason::upstream_error;
}

io::Task<DialectStream::End> DialectStream::send(
    const dialects::StreamFrame* frame, http::BodyWriter writer
) {
    out_.clear();
    if (const Result<void> written = writer_->write(*frame, out_); !written) {
        problem_ = written.error().message;
        co_return EndReason::upstream_error;
    }
    const dialects::Losses lost = writer_->take_losses();
    if (refuses(lost)) co_return EndReason::upstream_error;
    if (options_.keep)
        if (std::optional<std::string> answer = ended_response(out_)) {
            const ApiResult<void> kept = co_await options_.keep(*std::move(answer));
            if (!kept) spare_engine(kept.error());
            if (!kept) co_return EndReason::upstream_error;
        }
    const bool last = find_event(*frame, StreamEvent::Kind::end) != nullptr;
    if (last) tell_use();
    losses_.add(lost, options_.client, out_);
    if (last) losses_.mark_end(options_.client, out_);
    if (options_.is_kept) call_->sent(out_);
    if (!out_.empty() && !co_await writer.write(out_)) co_return EndReason::client_gone;
    co_return std::nullopt;
}

io::Task<void> DialectStream::add_own_usage(dialects::StreamFrame* frame) {
    const auto end = std::ranges::find(frame->events, StreamEvent::Kind::end, &StreamEvent::kind);
    // What comes with the end has not been delivered, and so not been counted.
    const bool counted = told_.untold(*frame).empty();
    if (usage_seen_ || end == frame->events.end() || !counted) co_return;
    if (call_->answer_texts() != nullptr) co_await call_->count_texts();
    StreamEvent usage = dialects::event_of(StreamEvent::Kind::usage);
    usage.usage.tokens = call_->measured(EndReason::done).tokens;
    frame->events.insert(end, std::move(usage));
    own_usage_ = true;
}

void DialectStream::tell_use() {
    if (own_usage_)
        put_in_usage(out_, options_.client, own_usage_mark(call_->measured(EndReason::done)));
    if (options_.client == Dialect::chat || options_.client == Dialect::responses)
        tell_cost(out_, call_->cost_so_far());
}

bool DialectStream::refuses(const dialects::Losses& losses) {
    if (options_.drops || losses.said.empty()) return false;
    spare_engine(routing::invalid_request(
        dialects::answer_refusal(losses.said, options_.client), {}, "unsupported_field"
    ));
    return true;
}

// Another engine would meet the same, or say something else: none goes on.
void DialectStream::spare_engine(const routing::ApiError& error) {
    call_->spare_engine();
    options_.continuation.reset();
    failure_ = dialects::StreamFailure{
        .status = error.status, .type = error.type, .code = error.code, .message = error.message
    };
}

std::string DialectStream::renamed(
    const dialects::StreamFrame& frame, std::string_view name, std::string_view data,
    std::string_view raw
) const {
    const std::string model = dialects::print_json(Json(options_.context.model));
    if (options_.engine == Dialect::ollama) {
        const bool named = data.find("\"model\"") != std::string_view::npos;
        return named ? dialects::with_member(raw, "model", model) : std::string(raw);
    }
    const StreamEvent* start = find_event(frame, StreamEvent::Kind::start);
    if (start == nullptr || start->name == options_.context.model) return std::string(raw);
    const Result<Json> value = dialects::parse_json(data, dialects::JsonFrom::engine);
    const Json* message = value ? value->find("message") : nullptr;
    if (message == nullptr) return std::string(raw);
    const std::string inner = dialects::with_member(dialects::print_json(*message), "model", model);
    return http::print_sse(
        {.data = dialects::with_member(data, "message", inner), .event = std::string(name)}
    );
}

io::Task<void> DialectStream::tell_error(EndReason reason, http::BodyWriter writer) {
    const std::string why_not =
        options_.continuation ? options_.continuation->why_not() : std::string();
    if (!held_error_.empty()) {
        // The engine's own words, as they came; between lines of JSON nothing can stand.
        std::string told;
        if (options_.client != Dialect::ollama)
            told = http::print_sse_comment("penstock " + why_not);
        static_cast<void>(co_await writer.write(told + held_error_));
    } else if (!error_passed_) {
        const std::optional<Duration> silence =
            options_.deadline.passed() ? std::nullopt : options_.read_timeout;
        dialects::StreamFailure failure = failure_of(reason, silence, why_not);
        if (reason != EndReason::timeout && failure_)
            failure = *failure_;
        else if (reason != EndReason::timeout && !problem_.empty())
            failure.message = problem_;
        const bool told = failure.message.ends_with(why_not);
        if (!why_not.empty() && !told) failure.message += "; " + why_not;
        out_.clear();
        writer_->fail(failure, out_);
        // The client may be gone as well: nothing more can be done for it.
        static_cast<void>(co_await writer.write(out_));
    }
    writer.abort();
}

}  // namespace penstock::gateway
