// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock::http {

// Reads a multipart/form-data body (RFC 7578) piece by piece: memory is one piece and one part's
// header, however long the parts are. Pure.
//     MultipartReader
//     parts(TRY(MultipartReader::boundary_of(request.headers.get("Content-Type"))));
//     parts.feed(piece);
//     for (auto event = TRY(parts.next()); event.kind != Event::more; event = TRY(parts.next())) …
class MultipartReader {
  public:
    static constexpr std::size_t kHeaderBytesMax = 8UL * 1024;  // of one part
    static constexpr std::size_t kBoundaryBytesMax = 70;
    static constexpr int kPartsMax = 32;

    // invalid_argument: it is another media type, or names no boundary.
    static Result<std::string> boundary_of(std::string_view content_type);
    explicit MultipartReader(std::string_view boundary);

    struct Event {
        // more: feed() is needed. part: one begins. data: of the present part, until the next
        // feed(). part_end: it is whole. end: the body is; what follows does not matter.
        enum class Kind { more, part, data, part_end, end } kind = Kind::more;
        std::string name = {};
        std::optional<std::string> filename = {};
        std::string_view data = {};
    };
    void feed(std::string_view bytes);
    // invalid_argument: what was fed is not such a body.
    Result<Event> next();

  private:
    enum class State { preamble, delimiter, header, body, done };
    Result<Event> read_delimiter();
    Result<Event> read_header();
    Event read_body();

    std::string delimiter_;
    std::string buffer_ = "\r\n";  // before the first boundary there need be no line break
    std::size_t at_ = 0;
    State state_ = State::preamble;
    int parts_ = 0;
};

}  // namespace penstock::http
