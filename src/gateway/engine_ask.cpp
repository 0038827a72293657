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
    events_.own();  // there may be silence now
    return found;
}

bool is_stream(const http::Headers& headers) {
    const std::string_view type = headers.get("Content-Type");
    return type.starts_with("text/event-stream") || type.starts_with("application/x-ndjson");
}

namespace {

// Takes what has come of a stream's beginning. True: it is known what it is.
bool read_opening(
    EngineAnswer& answer, OpeningReader& reader, std::optional<Result<std::string_view>> piece
) {
    for (; piece; piece = answer.stream->read_now()) {
        if (!*piece || (*piece)->empty()) {
            const bool late = !*piece && piece->error().code == ErrorCode::deadline_exceeded;
            answer.outcome = late ? EngineAnswer::Outcome::late : EngineAnswer::Outcome::broken;
            return true;
        }
        answer.opening.append(**piece);
        const Found found = reader.feed(**piece);
        if (found == Found::failure) answer.outcome = EngineAnswer::Outcome::broken;
        if (found != Found::nothing) return true;
    }
    return false;
}

bool came(EngineAnswer& answer, OpeningReader& reader, const Result<std::size_t>& size) {
    return read_opening(answer, reader, answer.stream->take(size));
}

// Engines may take long to begin, and what was asked is not kept meanwhile. `streamed`: the dialect
// of the stream that is expected.
io::Task<EngineAnswer> hear(
    io::Task<Result<http::ResponseStream>> asked, std::optional<Dialect> streamed,
    io::Deadline until
) {
    EngineAnswer answer;
    {
        Result<http::ResponseStream> opened = co_await std::move(asked);
        if (!opened) {
            if (opened.error().code == ErrorCode::deadline_exceeded)
                answer.outcome = EngineAnswer::Outcome::late;
            co_return answer;
        }
        answer.stream = *std::move(opened);
        answer.outcome = EngineAnswer::Outcome::answered;
    }
    answer.streams =
        streamed && answer.stream->status() == 200 && is_stream(answer.stream->headers());
    if (!answer.streams) co_return answer;
    answer.stream->forget_headers();
    OpeningReader reader(*streamed);
    bool known = read_opening(answer, reader, answer.stream->read_now());
    while (!known) known = came(answer, reader, co_await answer.stream->wait(until));
    co_return answer;
}

}  // namespace

io::Task<EngineAnswer> ask_engine(http::Client* client, EngineAsk ask) {
    const io::Deadline until = ask.streamed ? ask.first_content : ask.answer;
    return hear(
        client->open(std::move(ask.request), until),
        ask.streamed ? std::optional(ask.engine) : std::nullopt, until
    );
}

}  // namespace penstock::gateway
