// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/parser.h"
#include "io/stream.h"

// Internal to src/http.
namespace penstock::http {

// Bytes that came and are not yet used. Small while idle; grows with what is sent, and shrinks when
// less comes.
class InputBuffer {
  public:
    static constexpr std::size_t kHeadBytes = 2048;  // while a header is awaited
    static constexpr std::size_t kPieceBytes = 512;  // and a piece of a body whose end is not known
    static constexpr std::size_t kLengthBytes = 16UL * 1024;  // at first, of one whose length is
    static constexpr std::size_t kReadBytes = 64UL * 1024;

    std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
    bool empty() const { return begin_ == end_; }
    std::size_t size() const { return end_ - begin_; }
    void consume(std::size_t size);
    // Room for what comes next, at least one byte: `usual` where nothing is buffered and little
    // came last, more where what came last filled it.
    std::span<char> prepare(std::size_t usual = kHeadBytes);
    void commit(std::size_t size);
    // What came with a header tells nothing of how much comes next.
    void forget_size() { last_ = 0; }
    // Gives all memory back when nothing is buffered.
    void release();
    std::string take();

  private:
    void resize(std::size_t room);

    std::unique_ptr<char[]> bytes_;
    std::size_t room_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t last_ = 0;  // bytes that came last
    bool filled_ = false;   // they left no room
};

// Reads one message after the other from a stream.
class MessageReader {
  public:
    MessageReader(io::Stream* stream, Parser::Kind kind, std::size_t header_max)
        : stream_(stream), parser_(kind, header_max) {}

    // False: the peer closed before the first byte of a message. Waits until `idle` for that byte,
    // then at most `header_timeout` (max(): until `idle` too) for the rest. Passing `idle` gives
    // false too.
    io::Task<Parsed<bool>> read_head(
        io::Deadline idle, Duration header_timeout, bool no_body = false
    );
    // The next piece of the body, empty at its end; valid until the next call.
    io::Task<Parsed<std::string_view>> read_body(std::uint64_t body_max, io::Deadline deadline);
    // The same where it is there already; else nothing.
    std::optional<Parsed<std::string_view>> body_now(std::uint64_t body_max);
    // After body_now() had nothing: waits for more. What it gives goes to filled(), then body_now()
    // is asked again. For loops that wait themselves, without a coroutine between.
    io::Task<Result<std::size_t>> fill(io::Deadline deadline);
    // The same for a piece of a long answer, which lets go first what begins (Stream::read_piece).
    io::Task<Result<std::size_t>> fill_piece(io::Deadline deadline);
    Parsed<void> filled(const Result<std::size_t>& came);
    // Where body_now() has nothing: what has come of a long body of known length, read straight
    // behind `into`, without a stop in the buffer. 0: nothing, or not such a body.
    static constexpr std::size_t kStraightMin = 4096;  // less is not worth it
    Parsed<std::size_t> body_straight(std::string& into);
    std::uint64_t body_size() const { return parser_.body_size(); }  // that was read
    bool body_done() const { return parser_.body_done(); }

    // Nobody looks at the piece that was given out any more.
    void let_go_of_piece();
    // That, and the buffer's memory is given back unless more has come.
    void release();
    // The same, unless a piece is out.
    void release_if_idle() {
        if (used_ == 0) buffer_.release();
    }

    Parser& parser() { return parser_; }
    InputBuffer& buffer() { return buffer_; }
    bool saw_bytes() const { return saw_bytes_; }  // of the message being read
    // Why read_head() gave false; an empty message when the peer closed in order.
    Error end() const { return end_ ? *end_ : Error{ErrorCode::unavailable, {}, {}}; }

  private:
    io::Stream* stream_;
    Parser parser_;
    InputBuffer buffer_;
    std::optional<Result<std::size_t>> first_now();
    std::span<char> prepare_for_body();

    std::size_t used_ = 0;  // of the buffer, by the piece that was given out
    bool begun_ = false;
    bool saw_bytes_ = false;
    std::unique_ptr<Error> end_;
};

}  // namespace penstock::http
