// SPDX-License-Identifier: Apache-2.0
#include "gateway/chat_stream.h"

#include "base/check.h"
#include "gateway/api_answer.h"
#include "gateway/told_cost.h"

namespace penstock::gateway {

ChatStream::ChatStream(
    std::unique_ptr<Call> call, OpenedStream upstream, http::ClientWatch client, Options options
)
    : call_(std::move(call)),
      upstream_(std::move(upstream.stream)),
      client_(client),
      deadline_(options.deadline),
      read_timeout_(options.read_timeout),
      continuation_(std::move(options.continuation)),
      include_usage_(options.include_usage) {
    if (continuation_) reader_ = dialects::make_stream_reader(dialects::Dialect::chat);
    CHECK(parser_.feed(upstream.opening).has_value(), "an opening is less than an event may be");
}

// This frame and that of pump() live as long as the stream: what is needed at its end is in end().
io::Task<void> ChatStream::run(std::unique_ptr<ChatStream> self, http::BodyWriter writer) {
    const std::optional<EndReason> reason = co_await self->client_.unless_gone(self->pump(writer));
    // A client may leave as soon as it has seen the end.
    co_await self->end(
        reason.value_or(self->done_seen_ ? EndReason::done : self->call_->left()), writer
    );
}

io::Task<void> ChatStream::end(EndReason reason, http::BodyWriter writer) {
    if (may_go_on(reason)) reason = co_await go_on(reason, writer);
    if (reason == EndReason::client_gone && call_->is_billed_to_end()) {
        writer.abort();
        co_await read_on();
    }
    if (call_->answer_texts() != nullptr && call_->meter().delivered_any())
        co_await call_->count_texts();
    // The record comes first: the client is told nothing that was not accounted for.
    call_->finish(reason, 200);
    if (is_told(reason))
        co_await tell_error(reason, writer);
    else if (reason == EndReason::client_gone)
        writer.abort();
}

io::Task<void> ChatStream::read_on() {
    // What was being written when the client left has been looked at.
    undelivered_.reset();
    using Came = LeftStreams::Came;
    const Came there = read_left({});
    if (there == Came::end) call_->on_read_to_end();
    if (there != Came::more) co_return;
    const bool whole = co_await call_->left_streams().read_to_end(
        &upstream_, deadline_,
        [this](std::string_view bytes) {
            if (bytes.empty()) return finish_seen_ ? Came::end : Came::nonsense;
            return read_left(bytes);
        }
    );
    if (whole) call_->on_read_to_end();
}

LeftStreams::Came ChatStream::read_left(std::string_view bytes) {
    using Came = LeftStreams::Came;
    if (!parser_.feed(bytes)) return Came::nonsense;
    while (const auto event = parser_.next()) {
        const Result<routing::ChatChunk> chunk = routing::read_chat_chunk(event->data);
        if (!chunk || chunk->error) return Came::nonsense;
        report(*chunk, event->data);
        finish_seen_ |= chunk->finished > 0;
        if (chunk->done) return Came::end;
    }
    return Came::more;
}

bool ChatStream::may_go_on(EndReason broken_by) const {
    const bool broken = broken_by == EndReason::upstream_error || broken_by == EndReason::timeout;
    return broken && continuation_ && !deadline_.passed();
}

io::Task<EndReason> ChatStream::go_on(EndReason broken_by, http::BodyWriter writer) {
    // Closed, so that a silent engine does not work on for nobody.
    {
        const http::ResponseStream closed = std::move(upstream_);
    }
    const EndReason end = co_await continuation_->go_on(
        {.call = call_.get(), .by = broken_by, .client = client_}, writer
    );
    if (call_->continued() != nullptr) held_error_.clear();
    co_return end;
}

// How a stream ends whose engine cannot be read any more. Silence is no break.
EndReason ChatStream::end_of(const Error& error) {
    if (error.code != ErrorCode::deadline_exceeded) return EndReason::upstream_error;
    if (!deadline_.passed()) call_->on_silence();
    return EndReason::timeout;
}

// One coroutine for all events: most of what a frame costs would otherwise be coroutines. It has
// nothing of an event in its own frame, which lasts while the engine is silent.
io::Task<EndReason> ChatStream::pump(http::BodyWriter writer) {
    std::optional<EndReason> end = pass_on(writer);
    while (!end) {
        if (uncounted_) {
            end = co_await count_and_pass(writer);
            continue;
        }
        if (!undelivered_) push(writer);
        if (undelivered_)
            end = co_await flush(writer);
        else
            end = on_received(co_await upstream_.wait_for_piece(patience()));
        if (!end) end = pass_on(writer);
    }
    co_return *end;
}

// The first token shares its sending with nobody, and what it says of the engine is learned later.
void ChatStream::push(http::BodyWriter writer) {
    if (!std::exchange(first_token_met_, false)) return writer.push();
    writer.push_now();
    call_->learn_first_token();
}

// All that has come, until the client or the engine must be waited for.
std::optional<EndReason> ChatStream::pass_on(http::BodyWriter writer) {
    while (true) {
        while (const auto event = parser_.next()) {
            if (done_seen_) continue;  // nothing follows the end
            const Result<routing::ChatChunk> chunk = chunks_.read(event->data);
            if (!chunk) return EndReason::upstream_error;
            if (must_count(*chunk)) {
                uncounted_ = std::make_unique<Undelivered>(*event, *chunk);
                return std::nullopt;
            }
            const std::optional<EndReason> end = pass_event(*event, *chunk, writer);
            if (end || undelivered_) return end;
        }
        parser_.own();
        const std::optional<Result<std::string_view>> piece = upstream_.read_now();
        if (!piece) return std::nullopt;
        if (const auto end = feed(*piece)) return end;
    }
}

std::optional<EndReason> ChatStream::pass_event(
    const http::SseParser::Event& event, const routing::ChatChunk& chunk, http::BodyWriter writer
) {
    std::string rewritten;
    const std::string_view bytes = meet(event, chunk, rewritten);
    if (!held_error_.empty()) return EndReason::upstream_error;
    if (bytes.empty()) return std::nullopt;
    const std::optional<Result<void>> written = writer.write_now(bytes);
    if (!written) {
        undelivered_ = std::make_unique<Undelivered>(event, chunk);
        return std::nullopt;
    }
    if (!*written) return EndReason::client_gone;
    on_delivered(event, chunk);
    if (error_passed_) return EndReason::upstream_error;
    return std::nullopt;
}

bool ChatStream::must_count(const routing::ChatChunk& chunk) const {
    return chunk.done && include_usage_ && !usage_told_ && call_->answer_texts() != nullptr;
}

io::Task<std::optional<EndReason>> ChatStream::count_and_pass(http::BodyWriter writer) {
    co_await call_->count_texts();
    const std::unique_ptr<Undelivered> end = std::move(uncounted_);
    std::optional<EndReason> reason = pass_event(end->event, end->chunk, writer);
    if (!reason && !undelivered_) reason = pass_on(writer);
    co_return reason;
}

io::Task<std::optional<EndReason>> ChatStream::flush(http::BodyWriter writer) {
    const Result<void> flushed = co_await writer.flush();
    const std::unique_ptr<Undelivered> delivered = std::move(undelivered_);
    if (!flushed) co_return EndReason::client_gone;
    on_delivered(delivered->event, delivered->chunk);
    if (error_passed_) co_return EndReason::upstream_error;
    co_return std::nullopt;
}

// Bytes of the engine's, which need not be of the stream's body.
std::optional<EndReason> ChatStream::on_received(const Result<std::size_t>& came) {
    const std::optional<Result<std::string_view>> piece = upstream_.take(came);
    return piece ? feed(*piece) : std::nullopt;
}

std::optional<EndReason> ChatStream::feed(const Result<std::string_view>& piece) {
    if (done_seen_ && (!piece || piece->empty())) return EndReason::done;
    if (!piece) return end_of(piece.error());
    // An end that the engine meant, after the model had finished: some engines send no [DONE].
    if (piece->empty()) return finish_seen_ ? EndReason::done : EndReason::upstream_error;
    if (!parser_.lend(*piece)) return EndReason::upstream_error;
    return std::nullopt;
}

// Until when the engine may be silent.
io::Deadline ChatStream::patience() const {
    const std::optional<Duration> within = done_seen_ ? std::optional(kDrainFor) : read_timeout_;
    return within ? io::earlier(deadline_, io::Deadline::after(*within)) : deadline_;
}

void ChatStream::report(const routing::ChatChunk& chunk, std::string_view data) {
    if (chunk.usage && call_->meter().report(*chunk.usage, chunk.deltas))
        call_->meter().keep_words(data.substr(chunk.usage_text.begin, chunk.usage_text.size()));
}

// What the client is sent of it; nothing where it is left out.
std::string_view ChatStream::meet(
    const http::SseParser::Event& event, const routing::ChatChunk& chunk, std::string& rewritten
) {
    report(chunk, event.data);
    finish_seen_ |= chunk.finished > 0;
    if (chunk.is_usage_only() && !include_usage_) return {};
    if (!token_seen_ && !chunk.deltas.empty()) {
        token_seen_ = first_token_met_ = true;
        call_->note_first_token();
    }
    std::string_view bytes = event.raw;
    if (rewrites_model(chunk, event.data)) {
        rewritten = http::print_sse({
            .data = routing::replace_string(event.data, chunk.model_value, call_->model()),
            .event = std::string(event.event),
        });
        bytes = rewritten;
    }
    if (chunk.error && continuation_) {
        held_error_ = bytes;
        return {};
    }
    if (include_usage_) bytes = with_usage(bytes, event, chunk, rewritten);
    call_->sent(bytes);
    return bytes;
}

std::string_view ChatStream::with_usage(
    std::string_view bytes, const http::SseParser::Event& event, const routing::ChatChunk& chunk,
    std::string& rewritten
) {
    const bool last = chunk.usage && (chunk.is_usage_only() || chunk.finished > 0);
    if (!last && !(chunk.done && !usage_told_)) return bytes;
    usage_told_ = true;
    if (!last) {
        const dialects::AnswerContext context{
            .id = to_string(call_->id()),
            .model = call_->model(),
            .created = to_ms(call_->started_at().time_since_epoch()) / 1000
        };
        rewritten =
            own_usage_chunk(context, call_->measured(EndReason::done), call_->cost_so_far()) +
            std::string(bytes);
        return rewritten;
    }
    std::string data(event.data);
    if (rewrites_model(chunk, event.data))
        data = routing::replace_string(data, chunk.model_value, call_->model());
    rewritten = http::print_sse(
        {.data = with_cost(std::move(data), call_->cost_so_far()), .event = std::string(event.event)
        }
    );
    return rewritten;
}

void ChatStream::on_delivered(
    const http::SseParser::Event& event, const routing::ChatChunk& chunk
) {
    call_->meter().deliver(chunk.deltas);
    note_received(event.data);
    if (routing::AnswerTexts* texts = call_->answer_texts(); texts && !chunk.deltas.empty())
        texts->add_chat(event.data);
    done_seen_ = chunk.done;
    error_passed_ = chunk.error;
}

void ChatStream::note_received(std::string_view data) {
    if (!reader_) return;
    const Result<dialects::StreamFrame> frame = reader_->read({}, data);
    if (frame) continuation_->received(*frame);
}

// Engines know the model by other names, often by the path of a file.
bool ChatStream::rewrites_model(const routing::ChatChunk& chunk, std::string_view data) const {
    if (chunk.model_value.empty()) return false;
    return data.substr(chunk.model_value.begin + 1, chunk.model_value.size() - 2) != call_->model();
}

io::Task<void> ChatStream::tell_error(EndReason reason, http::BodyWriter writer) {
    const std::string why_not = continuation_ ? continuation_->why_not() : std::string();
    if (!held_error_.empty()) {
        // The engine's own words, as they came.
        std::string told = http::print_sse_comment("penstock " + why_not);
        static_cast<void>(co_await writer.write(told + held_error_));
    } else if (!error_passed_) {
        const std::optional<Duration> silence = deadline_.passed() ? std::nullopt : read_timeout_;
        const dialects::StreamFailure failure = failure_of(reason, silence, why_not);
        const routing::ApiError error{
            .message = failure.message, .type = failure.type, .code = failure.code
        };
        // The client may be gone as well: nothing more can be done for it.
        static_cast<void>(co_await writer.write(http::print_sse({.data = to_json(error)})));
    }
    writer.abort();
}

}  // namespace penstock::gateway
