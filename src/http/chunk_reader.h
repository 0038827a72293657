// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"

// Internal to src/http.
namespace penstock::http {

// Reads a body in chunks (RFC 9112, 7.1) from bytes that the caller keeps; trailers are read over.
// Beast's parser does the work.
class ChunkReader {
  public:
    ChunkReader();
    ~ChunkReader();
    ChunkReader(ChunkReader&&) noexcept;
    ChunkReader& operator=(ChunkReader&&) noexcept;

    // A body comes; between bodies it keeps nothing.
    void begin();
    void end();
    struct Piece {
        std::size_t consumed = 0;
        std::string_view body;  // within the bytes given; empty: what is there tells no more
    };
    // From begin() until done(). The error tells what is malformed.
    Result<Piece> read(std::string_view bytes);
    bool done() const;

  private:
    struct Engine;
    std::unique_ptr<Engine> engine_;
};

}  // namespace penstock::http
