// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

// Server-sent events, as the HTML Living Standard defines text/event-stream.
namespace penstock::http {

struct SseMessage {
    std::string data = {};
    std::string event = {};  // empty: "message"
    std::string id = {};     // the cursor a client resumes from; empty: none
    std::optional<std::int64_t> retry_ms = {};
};
// The bytes of one event, its empty line included. Line breaks in `event` and `id` become spaces.
std::string print_sse(const SseMessage& message);
// ": text\n\n": a heartbeat that every client ignores.
std::string print_sse_comment(std::string_view text);

// One event per write.
class SseWriter {
  public:
    explicit SseWriter(BodyWriter writer) : writer_(writer) {}
    io::Task<Result<void>> send(SseMessage message);
    io::Task<Result<void>> comment(std::string text = {});

  private:
    BodyWriter writer_;
};

// Takes bytes as they come and gives whole events. Reads LF, CRLF and CR; text split anywhere,
// inside a UTF-8 character too. An event over the cap is resource_exhausted and ends the parse.
//     CO_TRY(parser.feed(chunk));
//     while (auto event = parser.next()) …
class SseParser {
  public:
    static constexpr std::size_t kEventBytesMax = 4UL * 1024 * 1024;
    explicit SseParser(std::size_t event_bytes_max = kEventBytesMax)
        : event_bytes_max_(event_bytes_max) {}

    // Views into the parser (or into what it was lent), valid until the next call of next() or of
    // what gives it bytes.
    struct Event {
        std::string_view event;  // empty: "message"
        std::string_view data;
        std::string_view id;  // the last one seen in the stream, as the standard has it
        std::optional<std::int64_t> retry_ms;
        std::string_view raw;  // the bytes as they came, the empty line included
    };
    // Take all events with next() before feeding more.
    Result<void> feed(std::string_view bytes);
    // Events without data are not reported, as the standard says.
    std::optional<Event> next();
    // The same without a copy: they stay where they are until own().
    Result<void> lend(std::string_view bytes);
    // Copies what is unfinished of what was lent, and gives memory back where nothing is, for
    // streams that may be silent for long; ends the views of the last event.
    void own();
    // Bytes of an unfinished event: at the end of a stream it was cut.
    bool has_partial() const;

  private:
    std::string_view text() const { return lent_.empty() ? std::string_view(buffer_) : lent_; }
    std::optional<std::string_view> next_line();
    Result<void> check_size() const;
    void begin_at_front();
    bool skip_byte_order_mark();
    void take_field(std::string_view line);
    void take_data(std::string_view value);
    void begin_event();

    std::size_t event_bytes_max_;
    std::string buffer_;
    std::string_view lent_;        // in place of the buffer, which is empty then
    std::size_t event_begin_ = 0;  // of the event being read
    std::size_t line_begin_ = 0;
    std::size_t scanned_ = 0;  // no line break before it
    bool at_start_ = true;
    bool after_cr_ = false;  // the last byte was a CR, an LF may belong to it
    bool given_ = false;     // views of the last event are out
    std::size_t data_lines_ = 0;
    std::size_t data_begin_ = 0;  // the first data line within buffer_
    std::size_t data_size_ = 0;
    std::string data_;  // all data lines, when there are several
    std::string event_;
    std::string id_;
    std::optional<std::int64_t> retry_ms_;
};

}  // namespace penstock::http
