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

// Reads HTTP/1.1 messages from bytes that the caller keeps; it does no I/O. Beast's parser does the
// work; what it lets pass though it can be read in two ways is refused here first: bare CR or LF,
// NUL, folded lines, a length given twice or beside a transfer coding, codings other than chunked.
class Parser {
  public:
    enum class Kind { request, response };
    Parser(Kind kind, std::size_t header_max);
    ~Parser();
    Parser(Parser&&) noexcept;
    Parser& operator=(Parser&&) noexcept;

    // Begins a message. `no_body`: the response to a HEAD.
    void begin(bool no_body = false);
    // `bytes` starts with the message. Nothing while its header is not complete; else the header's
    // size.
    Parsed<std::optional<std::size_t>> parse_head(std::string_view bytes);
    Head& head() { return head_; }

    struct Piece {
        std::size_t consumed = 0;
        std::string_view body;  // within the bytes given
        bool need_more = false;
    };
    // After the header, until body_done(). A piece may be consumed without bytes of the body.
    Parsed<Piece> parse_body(std::string_view bytes, std::uint64_t body_max);
    bool body_done() const;
    // The peer sent its end of stream: completes a body that lasts until then, cuts any other.
    Parsed<void> end_of_stream();

    bool keep_alive() const;
    std::optional<std::uint64_t> content_length() const;
    bool chunked() const;

  private:
    struct Engine;
    Parsed<bool> scan(std::string_view bytes);
    Parsed<void> check_framing() const;
    Parsed<void> check_request() const;

    Kind kind_;
    std::size_t header_max_;
    Head head_;
    std::unique_ptr<Engine> engine_;
    std::size_t scanned_ = 0;  // bytes of the header that were looked at
    std::size_t line_begin_ = 0;
    std::size_t head_end_ = 0;
    std::uint64_t body_size_ = 0;
};

}  // namespace penstock::http
