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
}

io::Task<void> ChatStream::run(std::unique_ptr<ChatStream> self, http::BodyWriter writer) {
    std::optional<EndReason> reason = co_await self->client_.unless_gone(self->pump(writer));
    // A client may leave as soon as it has seen the end.
    if (!reason) reason = self->done_seen_ ? EndReason::done : EndReason::client_gone;
    if (self->call_->answer_texts() != nullptr && self->call_->meter().delivered_any())
        co_await self->call_->count_texts();
    // The record comes first: the client is told nothing that was not accounted for.
    self->call_->finish(*reason, 200);
    if (*reason == EndReason::upstream_error || *reason == EndReason::timeout)
        co_await self->tell_error(*reason, writer);
    else if (*reason == EndReason::client_gone)
        writer.abort();
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
            if (bytes.empty()) continue;
            std::optional<Result<void>> written = writer.write_now(bytes);
            if (!written) written = co_await writer.flush();
            if (!*written) co_return EndReason::client_gone;
            on_delivered(*event, *chunk);
            if (error_passed_) co_return EndReason::upstream_error;
        }
        const io::Deadline deadline =
            done_seen_ ? io::earlier(options_.deadline, io::Deadline::after(kDrainFor))
                       : options_.deadline;
        std::optional<Result<std::string_view>> piece = upstream_.read_now();
        while (!piece) piece = upstream_.take(co_await upstream_.wait(deadline));
        if (done_seen_ && (!*piece || (*piece)->empty())) co_return EndReason::done;
        if (!*piece)
            co_return piece->error().code == ErrorCode::deadline_exceeded
                ? EndReason::timeout
                : EndReason::upstream_error;
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
    call_->sent(bytes);
    return bytes;
}

void ChatStream::on_delivered(
    const http::SseParser::Event& event, const routing::ChatChunk& chunk
) {
    call_->meter().deliver(chunk.deltas);
    if (routing::AnswerTexts* texts = call_->answer_texts(); texts && !chunk.deltas.empty())
        texts->add_chat(event.data);
    done_seen_ = chunk.done;
    error_passed_ = chunk.error;
}

// Engines know the model by other names, often by the path of a file.
bool ChatStream::rewrites_model(const routing::ChatChunk& chunk, std::string_view data) const {
    if (chunk.model_value.empty()) return false;
    return data.substr(chunk.model_value.begin + 1, chunk.model_value.size() - 2) !=
           options_.client_model;
}

io::Task<void> ChatStream::tell_error(EndReason reason, http::BodyWriter writer) {
    if (!error_passed_) {
        const bool late = reason == EndReason::timeout;
        const routing::ApiError error{
            .message = late ? "the call's deadline passed before the answer was complete"
                            : "the engine broke off before the answer was complete",
            .type = late ? "timeout_error" : "server_error",
            .code = late ? "deadline_exceeded" : "upstream_error",
        };
        // The client may be gone as well: nothing more can be done for it.
        static_cast<void>(co_await writer.write(http::print_sse({.data = to_json(error)})));
    }
    writer.abort();
}

}  // namespace penstock::gateway
