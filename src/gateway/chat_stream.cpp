// SPDX-License-Identifier: Apache-2.0
#include "gateway/chat_stream.h"

#include "gateway/api_answer.h"

namespace penstock::gateway {

ChatStream::ChatStream(
    std::unique_ptr<Call> call, http::ResponseStream upstream, http::ClientWatch client,
    Options options
)
    : call_(std::move(call)),
      upstream_(std::move(upstream)),
      client_(client),
      options_(std::move(options)) {
    upstream_.forget_headers();
    if (options_.continuation) reader_ = dialects::make_stream_reader(dialects::Dialect::chat);
}

io::Task<void> ChatStream::run(std::unique_ptr<ChatStream> self, http::BodyWriter writer) {
    std::optional<EndReason> reason = co_await self->client_.unless_gone(self->pump(writer));
    // A client may leave as soon as it has seen the end.
    if (!reason) reason = self->done_seen_ ? EndReason::done : EndReason::client_gone;
    reason = co_await self->go_on(*reason, writer);
    if (self->call_->answer_texts() != nullptr && self->call_->meter().delivered_any())
        co_await self->call_->count_texts();
    // The record comes first: the client is told nothing that was not accounted for.
    self->call_->finish(*reason, 200);
    if (*reason == EndReason::upstream_error || *reason == EndReason::timeout)
        co_await self->tell_error(*reason, writer);
    else if (*reason == EndReason::client_gone)
        writer.abort();
}

io::Task<EndReason> ChatStream::go_on(EndReason broken_by, http::BodyWriter writer) {
    const bool broken = broken_by == EndReason::upstream_error || broken_by == EndReason::timeout;
    if (!broken || !options_.continuation || options_.deadline.passed()) co_return broken_by;
    // Closed, so that a silent engine does not work on for nobody.
    {
        const http::ResponseStream closed = std::move(upstream_);
    }
    const EndReason end = co_await options_.continuation->go_on(
        {.call = call_.get(), .by = broken_by, .client = client_}, writer
    );
    if (call_->continued() != nullptr) held_error_.clear();
    co_return end;
}

// How a stream ends whose engine cannot be read any more. Silence is no break.
EndReason ChatStream::end_of(const Error& error) {
    if (error.code != ErrorCode::deadline_exceeded) return EndReason::upstream_error;
    if (!options_.deadline.passed()) call_->on_silence();
    return EndReason::timeout;
}

// One coroutine for all events: most of what a frame costs would otherwise be coroutines.
io::Task<EndReason> ChatStream::pump(http::BodyWriter writer) {
    if (!parser_.feed(std::exchange(options_.opening, {}))) co_return EndReason::upstream_error;
    while (true) {
        while (const auto event = parser_.next()) {
            if (done_seen_) continue;  // nothing follows the end
            const Result<routing::ChatChunk> chunk = routing::read_chat_chunk(event->data);
            if (!chunk) co_return EndReason::upstream_error;
            const std::string_view bytes = meet(*event, *chunk);
            if (!held_error_.empty()) co_return EndReason::upstream_error;
            if (bytes.empty()) continue;
            std::optional<Result<void>> written = writer.write_now(bytes);
            if (!written) written = co_await writer.flush();
            if (!*written) co_return EndReason::client_gone;
            on_delivered(*event, *chunk);
            if (error_passed_) co_return EndReason::upstream_error;
        }
        parser_.release();
        const std::optional<Duration> within =
            done_seen_ ? std::optional(kDrainFor) : options_.read_timeout;
        const io::Deadline deadline =
            within ? io::earlier(options_.deadline, io::Deadline::after(*within))
                   : options_.deadline;
        std::optional<Result<std::string_view>> piece = upstream_.read_now();
        while (!piece) piece = upstream_.take(co_await upstream_.wait(deadline));
        if (done_seen_ && (!*piece || (*piece)->empty())) co_return EndReason::done;
        if (!*piece) co_return end_of(piece->error());
        // An end that the engine meant, after the model had finished: some engines send no [DONE].
        if ((*piece)->empty()) co_return finish_seen_ ? EndReason::done : EndReason::upstream_error;
        if (!parser_.feed(**piece)) co_return EndReason::upstream_error;
    }
}

// What the client is sent of it; nothing where it is left out.
std::string_view ChatStream::meet(
    const http::SseParser::Event& event, const routing::ChatChunk& chunk
) {
    if (chunk.usage) call_->meter().report(*chunk.usage, chunk.deltas);
    finish_seen_ |= chunk.finished > 0;
    if (chunk.is_usage_only() && !options_.include_usage) return {};
    if (!chunk.deltas.empty()) call_->on_first_token();
    std::string_view bytes = event.raw;
    if (rewrites_model(chunk, event.data)) {
        rewritten_ = http::print_sse({
            .data = routing::replace_string(event.data, chunk.model_value, options_.client_model),
            .event = std::string(event.event),
        });
        bytes = rewritten_;
    }
    if (chunk.error && options_.continuation) {
        held_error_ = bytes;
        return {};
    }
    call_->sent(bytes);
    return bytes;
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
    if (frame) options_.continuation->received(*frame);
}

// Engines know the model by other names, often by the path of a file.
bool ChatStream::rewrites_model(const routing::ChatChunk& chunk, std::string_view data) const {
    if (chunk.model_value.empty()) return false;
    return data.substr(chunk.model_value.begin + 1, chunk.model_value.size() - 2) !=
           options_.client_model;
}

io::Task<void> ChatStream::tell_error(EndReason reason, http::BodyWriter writer) {
    const std::string why_not =
        options_.continuation ? options_.continuation->why_not() : std::string();
    if (!held_error_.empty()) {
        // The engine's own words, as they came.
        std::string told = http::print_sse_comment("penstock " + why_not);
        static_cast<void>(co_await writer.write(told + held_error_));
    } else if (!error_passed_) {
        const std::optional<Duration> silence =
            options_.deadline.passed() ? std::nullopt : options_.read_timeout;
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
