// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/parser.h"
#include "io/stream.h"

// Internal to src/http.
namespace penstock::http {

// Bytes that came and are not yet used. Small while idle; grows with what is sent.
class InputBuffer {
  public:
    static constexpr std::size_t kIdleBytes = 2048;
    static constexpr std::size_t kReadBytes = 64UL * 1024;

    std::string_view view() const { return std::string_view(bytes_).substr(begin_, end_ - begin_); }
    bool empty() const { return begin_ == end_; }
    std::size_t size() const { return end_ - begin_; }
    void consume(std::size_t size);
    // Room for what comes next, at least one byte and more the more there is already.
    std::span<char> prepare();
    void commit(std::size_t size) { end_ += size; }
    // Gives memory back when nothing is buffered.
    void shrink();
    std::string take();

  private:
    std::string bytes_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

// Reads one message after the other from a stream.
class MessageReader {
  public:
    MessageReader(io::Stream* stream, Parser::Kind kind, std::size_t header_max)
        : stream_(stream), parser_(kind, header_max) {}

    // False: the peer closed before the first byte of a message. Waits until `idle` for that byte,
    // then at most `header_timeout` for the rest. Passing `idle` gives false too.
    io::Task<Parsed<bool>> read_head(
        io::Deadline idle, Duration header_timeout, bool no_body = false
    );
    // The next piece of the body, empty at its end; valid until the next call.
    io::Task<Parsed<std::string_view>> read_body(std::uint64_t body_max, io::Deadline deadline);
    // The same where it is there already; else nothing.
    std::optional<Parsed<std::string_view>> body_now(std::uint64_t body_max);
    std::uint64_t body_size() const { return body_size_; }  // that was read
    bool body_done() const { return parser_.body_done(); }

    Parser& parser() { return parser_; }
    InputBuffer& buffer() { return buffer_; }
    bool saw_bytes() const { return saw_bytes_; }  // of the message being read
    // Why read_head() gave false; an empty message when the peer closed in order.
    const Error& end() const { return end_; }

  private:
    io::Stream* stream_;
    Parser parser_;
    InputBuffer buffer_;
    std::size_t used_ = 0;  // of the buffer, by the piece that was given out
    bool saw_bytes_ = false;
    std::uint64_t body_size_ = 0;
    Error end_;
};

}  // namespace penstock::http
