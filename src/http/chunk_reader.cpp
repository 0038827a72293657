// SPDX-License-Identifier: Apache-2.0
#include "http/chunk_reader.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>

#include "base/check.h"

namespace penstock::http {
namespace beast = boost::beast;
using beast::error_code;
namespace {

// Puts the parser where a body in chunks begins.
// Of a last chunk that is also the first, "0" CRLF CRLF. Beast's parser wants so many once it has
// seen the first CRLF; where chunks came before, the CRLF behind the last one is among them.
constexpr std::size_t kLastChunkBytesMin = 5;

constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

class Reader final : public beast::http::basic_parser<false> {
  public:
    Reader() {
        header_limit(std::numeric_limits<std::uint32_t>::max());  // of trailers; Parser has one
        body_limit(boost::none);                                  // as above
    }
    // Of a chunk, or maybe of the last one, there is too little to be looked at.
    bool is_short(std::string_view bytes) const {
        return left_ == 0 && bytes.starts_with('0') && bytes.size() < kLastChunkBytesMin;
    }
    std::string_view piece;

  private:
    void
    on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int, error_code&)
        override {}
    void on_response_impl(int, beast::string_view, int, error_code&) override {}
    void on_field_impl(beast::http::field, beast::string_view, beast::string_view, error_code&)
        override {}
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(beast::string_view body, error_code&) override { return body.size(); }
    void on_chunk_header_impl(std::uint64_t size, beast::string_view, error_code&) override {
        left_ = size;
    }
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code&) override {
        piece = {body.data(), body.size()};
        left_ -= body.size();
        return body.size();
    }
    void on_finish_impl(error_code&) override {}

    std::uint64_t left_ = 0;  // of the present chunk
};

}  // namespace

struct ChunkReader::Engine {
    Reader reader;
};

ChunkReader::ChunkReader() = default;
ChunkReader::~ChunkReader() = default;
ChunkReader::ChunkReader(ChunkReader&&) noexcept = default;
ChunkReader& ChunkReader::operator=(ChunkReader&&) noexcept = default;

void ChunkReader::begin() {
    engine_ = std::make_unique<Engine>();
    error_code error;
    engine_->reader.put(boost::asio::const_buffer(kHead.data(), kHead.size()), error);
    CHECK(!error && engine_->reader.is_header_done(), "the parser knows chunks");
}

void ChunkReader::end() { engine_.reset(); }

Result<ChunkReader::Piece> ChunkReader::read(std::string_view bytes) {
    Reader& reader = engine_->reader;
    reader.piece = {};
    error_code error;
    Piece piece;
    // Each call of put() takes one element: a chunk's size line, or bytes of the body.
    while (!done() && reader.piece.empty() && !error) {
        const std::string_view rest = bytes.substr(piece.consumed);
        if (reader.is_short(rest)) break;
        piece.consumed += reader.put(boost::asio::const_buffer(rest.data(), rest.size()), error);
        if (rest.empty()) break;
    }
    piece.body = reader.piece;
    if (error && error != beast::http::error::need_more)
        return fail(ErrorCode::invalid_argument, error.message());
    return piece;
}

bool ChunkReader::done() const { return engine_->reader.is_done(); }

}  // namespace penstock::http
