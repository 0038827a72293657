// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/chunk_reader.h"
#include "http/headers.h"

// Internal to src/http.
namespace penstock::http {

// Why a message is not accepted: the status that a server answers before it closes the connection.
struct Refusal {
    int status = 400;
    Error error;
};
template <class T>
using Parsed = std::expected<T, Refusal>;
std::unexpected<Refusal> refuse(int status, std::string message);

// The start line and fields of a message.
struct Head {
    std::string method;  // of a request
    std::string target;
    int status = 0;  // of a response
    int version = 11;
    Headers headers;
};

// Reads HTTP/1.1 messages (RFC 9112) from bytes that the caller keeps; it does no I/O. The header
// is read once, line by line as its lines come. What parsers could read in two ways is refused:
// bare CR or LF, NUL and other controls, folded lines, space before a colon, a length given twice
// or beside a transfer coding, codings other than chunked.
class Parser {
  public:
    enum class Kind : std::uint8_t { request, response };
    Parser(Kind kind, std::size_t header_max) : kind_(kind), header_max_(header_max) {}
    Kind kind() const { return kind_; }

    // Begins a message. `no_body`: the response to a HEAD.
    void begin(bool no_body = false);
    // `bytes` starts with the message. Nothing while its header is not complete; else the header's
    // size.
    Parsed<std::optional<std::size_t>> parse_head(std::string_view bytes);
    // Until it is taken; begin() makes another one.
    Head& head() { return *head_; }
    // A header may be needed for less long than its connection, whose body takes its time.
    std::unique_ptr<Head> take_head() { return std::move(head_); }
    void forget_head() { head_.reset(); }
    int version() const { return version_; }  // of the message: 10 or 11

    struct Piece {
        std::size_t consumed = 0;
        std::string_view body;  // within the bytes given
        bool need_more = false;
    };
    // After the header, until body_done(). A piece may be consumed without bytes of the body.
    Parsed<Piece> parse_body(std::string_view bytes, std::uint64_t body_max);
    bool body_done() const { return body_ == Body::done; }
    // The peer sent its end of stream: completes a body that lasts until then, cuts any other.
    Parsed<void> end_of_stream();

    // What is still to come of a body of known length.
    std::optional<std::uint64_t> length_left() const;
    std::uint64_t body_size() const { return body_size_; }  // that was read
    // So many bytes of it did not come through parse_body().
    void took_of_length(std::uint64_t size);

    bool keep_alive() const;
    std::optional<std::uint64_t> content_length() const { return length_; }

  private:
    enum class Body : std::uint8_t { unknown, length, chunks, until_close, done };  // to come

    Parsed<void> read_line(std::string_view line);
    Parsed<void> read_request_line(std::string_view line);
    Parsed<void> read_status_line(std::string_view line);
    Parsed<void> read_field(std::string_view line);
    Parsed<void> read_connection(std::string_view list);
    Parsed<void> read_version(std::string_view text);
    Parsed<void> check_framing();
    Parsed<void> check_request() const;
    void begin_body();

    Kind kind_;
    Body body_ = Body::unknown;
    bool no_body_ = false;
    bool says_close_ = false;
    bool says_keep_alive_ = false;
    bool lasts_until_close_ = false;
    int version_ = 11;
    std::size_t header_max_;
    std::unique_ptr<Head> head_ = std::make_unique<Head>();
    std::size_t scanned_ = 0;     // bytes of the header that were looked at
    std::size_t line_begin_ = 0;  // of the line that is not complete
    std::optional<std::uint64_t> length_;
    std::uint64_t length_left_ = 0;
    ChunkReader chunks_;
    std::uint64_t body_size_ = 0;
};

}  // namespace penstock::http
