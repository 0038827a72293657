// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine_ask.h"

#include <algorithm>

#include "routing/chat_response.h"

namespace penstock::gateway {
namespace {

using dialects::Dialect;
using dialects::StreamEvent;
using Found = OpeningReader::Found;

Found found_in(const routing::ChatChunk& chunk) {
    if (chunk.error) return Found::failure;
    const bool content = !chunk.deltas.empty() || chunk.finished > 0 || chunk.done;
    return content ? Found::content : Found::nothing;
}

Found found_in(const dialects::StreamFrame& frame) {
    for (const StreamEvent& event : frame.events) {
        const bool call = event.kind == StreamEvent::Kind::part_start &&
                          event.part_kind == dialects::Part::Kind::tool_call;
        if (event.kind == StreamEvent::Kind::error) return Found::failure;
        if (call || (event.kind == StreamEvent::Kind::delta && !event.text.empty()) ||
            event.kind == StreamEvent::Kind::finish || event.kind == StreamEvent::Kind::end)
            return Found::content;
    }
    return Found::nothing;
}

}  // namespace

Result<void> LineParser::feed(std::string_view bytes) {
    buffer_.erase(0, begin_);
    begin_ = 0;
    if (buffer_.size() + bytes.size() > 2 * line_bytes_max_)
        return fail(ErrorCode::resource_exhausted, "a line is too long");
    buffer_.append(bytes);
    return {};
}

std::optional<std::string_view> LineParser::next() {
    while (begin_ < buffer_.size() && (buffer_[begin_] == '\n' || buffer_[begin_] == '\r'))
        ++begin_;
    const std::size_t end = buffer_.find('\n', begin_);
    if (end == std::string::npos) return std::nullopt;
    const std::string_view line = std::string_view(buffer_).substr(begin_, end + 1 - begin_);
    begin_ = end + 1;
    return line;
}

OpeningReader::OpeningReader(Dialect engine) : engine_(engine) {
    if (engine != Dialect::chat) reader_ = dialects::make_stream_reader(engine);
}

// What is no frame at all is told by whoever reads the stream, so that it is told in one way.
Found OpeningReader::look(std::string_view name, std::string_view data) {
    if (reader_ == nullptr) {
        const Result<routing::ChatChunk> chunk = routing::read_chat_chunk(data);
        return chunk ? found_in(*chunk) : Found::failure;
    }
    const Result<dialects::StreamFrame> frame = reader_->read(name, data);
    return frame ? found_in(*frame) : Found::failure;
}

Found OpeningReader::feed(std::string_view bytes) {
    bytes_ += bytes.size();
    if (bytes_ > kBytesMax) return Found::content;
    Found found = Found::nothing;
    if (engine_ == Dialect::ollama) {
        if (!lines_.feed(bytes)) return Found::content;
        while (const auto line = lines_.next())
            if (found = look({}, *line); found != Found::nothing) return found;
        return found;
    }
    if (!events_.feed(bytes)) return Found::content;
    while (const auto event = events_.next())
        if (found = look(event->event, event->data); found != Found::nothing) return found;
    return found;
}

bool is_stream(const http::Headers& headers) {
    const std::string_view type = headers.get("Content-Type");
    return type.starts_with("text/event-stream") || type.starts_with("application/x-ndjson");
}

io::Task<EngineAnswer> ask_engine(http::Client* client, EngineAsk ask) {
    EngineAnswer answer;
    const io::Deadline until = ask.streamed ? ask.first_content : ask.deadline;
    Result<http::ResponseStream> opened = co_await client->open(std::move(ask.request), until);
    if (!opened) {
        if (opened.error().code == ErrorCode::deadline_exceeded)
            answer.outcome = EngineAnswer::Outcome::late;
        co_return answer;
    }
    answer.stream = *std::move(opened);
    answer.outcome = EngineAnswer::Outcome::answered;
    if (!ask.streamed || answer.stream->status() != 200 || !is_stream(answer.stream->headers()))
        co_return answer;
    OpeningReader reader(ask.engine);
    while (true) {
        std::optional<Result<std::string_view>> next = answer.stream->read_now();
        while (!next) next = answer.stream->take(co_await answer.stream->wait(until));
        const Result<std::string_view>& piece = *next;
        if (!piece || piece->empty()) {
            const bool late = !piece && piece.error().code == ErrorCode::deadline_exceeded;
            answer.outcome = late ? EngineAnswer::Outcome::late : EngineAnswer::Outcome::broken;
            co_return answer;
        }
        answer.opening.append(*piece);
        const Found found = reader.feed(*piece);
        if (found == Found::content) co_return answer;
        if (found == Found::failure) answer.outcome = EngineAnswer::Outcome::broken;
        if (found == Found::failure) co_return answer;
    }
}

}  // namespace penstock::gateway
