// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "dialects/stream.h"
#include "http/client.h"
#include "http/sse.h"
#include "io/deadline.h"

namespace penstock::gateway {

// After it there is a connection to the engine, or it cannot be reached.
constexpr Duration kEngineConnectMax = 5s;

// Cuts a body into lines, however it comes; empty ones are left out.
class LineParser {
  public:
    explicit LineParser(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}
    // Take all lines with next() before feeding more. resource_exhausted: a line over the cap.
    Result<void> feed(std::string_view bytes);
    // Valid until the next call; with its line break.
    std::optional<std::string_view> next();

  private:
    std::size_t line_bytes_max_;
    std::string buffer_;
    std::size_t begin_ = 0;
};

// Looks at the beginning of an engine's stream for its first content: a piece of text, reasoning or
// a call, a reason to stop, or the end. Until then nothing was said that another engine could not
// say as well.
class OpeningReader {
  public:
    enum class Found : std::uint8_t { nothing, content, failure };
    static constexpr std::size_t kBytesMax =
        256UL * 1024;  // without content by then: as if it were

    explicit OpeningReader(dialects::Dialect engine);
    Found feed(std::string_view bytes);

  private:
    Found look(std::string_view name, std::string_view data);
    dialects::Dialect engine_;
    std::unique_ptr<dialects::StreamReader> reader_;  // not for Chat, which is read without a tree
    http::SseParser events_{kBytesMax};
    LineParser lines_{kBytesMax};
    std::size_t bytes_ = 0;
};

struct EngineAsk {
    http::ClientRequest request;
    dialects::Dialect engine = dialects::Dialect::chat;
    bool streamed = false;       // the client wants a stream
    io::Deadline deadline;       // of the call
    io::Deadline answer;         // of one that comes whole, for this engine: its status
    io::Deadline first_content;  // of a stream, for this engine
};

// What became of it. A stream that was answered with 200 has been read up to its first content.
struct EngineAnswer {
    enum class Outcome : std::uint8_t {
        answered,     // with whatever status
        unreachable,  // no answer at all
        broken,       // the stream ended or failed before its first content
        late,         // a deadline passed before an answer, or before the first content
    };
    Outcome outcome = Outcome::unreachable;
    std::optional<http::ResponseStream> stream;
    bool streams = false;  // as was asked; its headers have been forgotten then
    std::string opening;   // of the stream's body; what follows is still to be read
    bool is_content() const { return outcome == Outcome::answered && stream->status() == 200; }
};
io::Task<EngineAnswer> ask_engine(http::Client* client, EngineAsk ask);

bool is_stream(const http::Headers& headers);

}  // namespace penstock::gateway
