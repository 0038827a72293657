// SPDX-License-Identifier: Apache-2.0
#include "http/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>

namespace penstock::http {
namespace beast = boost::beast;
using beast::error_code;
namespace {

// What Beast tells about a message, straight into our own types.
struct Sink {
    Head* head = nullptr;
    std::string_view piece;
    bool in_head = true;
    bool too_many_fields = false;
};

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

template <bool IsRequest>
class Reader final : public beast::http::basic_parser<IsRequest> {
  public:
    explicit Reader(Sink& sink) : sink_(sink) {
        this->header_limit(std::numeric_limits<std::uint32_t>::max());  // scan() has checked it
        this->body_limit(boost::none);                                  // parse_body() checks it
    }

  private:
    void
    on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version, error_code&)
        override {
        sink_.head->method = view(method);
        sink_.head->target = view(target);
        sink_.head->version = version;
    }
    void on_response_impl(int status, beast::string_view, int version, error_code&) override {
        sink_.head->status = status;
        sink_.head->version = version;
    }
    void on_field_impl(
        beast::http::field, beast::string_view name, beast::string_view value, error_code& error
    ) override {
        if (!sink_.in_head) return;  // trailers are read over
        if (sink_.head->headers.size() == Headers::kFieldsMax) {
            sink_.too_many_fields = true;
            error = beast::http::error::header_limit;
            return;
        }
        sink_.head->headers.add(std::string(view(name)), std::string(view(value)));
    }
    void on_header_impl(error_code&) override { sink_.in_head = false; }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(beast::string_view body, error_code&) override {
        sink_.piece = view(body);
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code&) override {
        sink_.piece = view(body);
        return body.size();
    }
    void on_finish_impl(error_code&) override {}

    Sink& sink_;
};

// The size line of a chunk with its extensions, and all trailers together, each below this.
constexpr std::size_t kChunkHeaderMax = 8192;

bool all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool valid_host(std::string_view host) {
    return std::ranges::none_of(host, [](char c) {
        return c <= ' ' || c == 0x7F || c == '/' || c == '?' || c == '#' || c == '@' || c == '\\' ||
               c == ',';
    });
}

}  // namespace

std::unexpected<Refusal> refuse(int status, std::string message) {
    return std::unexpected(
        Refusal{status, {error_code_from_http_status(status), std::move(message), {}}}
    );
}

struct Parser::Engine {
    Sink sink;
    std::optional<Reader<true>> request;
    std::optional<Reader<false>> response;

    template <class Use>
    decltype(auto) with(Use use) {
        return request ? use(*request) : use(*response);
    }
};

Parser::Parser(Kind kind, std::size_t header_max)
    : kind_(kind), header_max_(header_max), engine_(std::make_unique<Engine>()) {
    begin();
}
Parser::~Parser() = default;
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;

void Parser::begin(bool no_body) {
    head_ = {};
    scanned_ = line_begin_ = head_end_ = 0;
    body_size_ = 0;
    engine_->sink = {};
    if (kind_ == Kind::request) {
        engine_->request.emplace(engine_->sink);
    } else {
        engine_->response.emplace(engine_->sink);
        engine_->response->skip(no_body);
    }
}

// Looks for the end of the header, line by line, and refuses lines that parsers disagree about.
Parsed<bool> Parser::scan(std::string_view bytes) {
    const auto first = static_cast<unsigned char>(bytes.front());
    if (scanned_ == 0 && (first <= ' ' || first >= 0x7F))
        return refuse(400, "the message does not begin with a token");
    while (true) {
        const std::size_t end = bytes.find('\n', scanned_);
        if (std::min(end, bytes.size()) >= header_max_)
            return refuse(431, fmt::format("the header is larger than {} bytes", header_max_));
        if (end == std::string_view::npos) {
            scanned_ = bytes.size();
            return false;
        }
        const std::string_view line = bytes.substr(line_begin_, end - line_begin_);
        if (!line.ends_with('\r'))
            return refuse(400, "a line of the header ends in LF instead of CR LF");
        if (line.find('\r') != line.size() - 1)
            return refuse(400, "a line of the header contains a bare CR");
        if (line.contains('\0')) return refuse(400, "the header contains a NUL byte");
        if (line_begin_ > 0 && (line.front() == ' ' || line.front() == '\t'))
            return refuse(400, "the header contains a folded line");
        scanned_ = line_begin_ = end + 1;
        if (line.size() == 1) {
            head_end_ = scanned_;
            return true;
        }
    }
}

Parsed<std::optional<std::size_t>> Parser::parse_head(std::string_view bytes) {
    if (bytes.empty()) return std::nullopt;
    Parsed<bool> complete = scan(bytes);
    if (!complete) return std::unexpected(std::move(complete.error()));
    if (!*complete) return std::nullopt;
    engine_->sink.head = &head_;
    error_code error;
    const std::size_t consumed = engine_->with([&](auto& reader) {
        return reader.put(boost::asio::const_buffer(bytes.data(), head_end_), error);
    });
    if (engine_->sink.too_many_fields)
        return refuse(431, fmt::format("the header has more than {} fields", Headers::kFieldsMax));
    if (error == beast::http::error::bad_version)
        return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    if (error) return refuse(400, "the header is malformed: " + error.message());
    if (consumed != head_end_) return refuse(400, "the header is malformed");
    if (Parsed<void> framing = check_framing(); !framing)
        return std::unexpected(std::move(framing.error()));
    if (kind_ == Kind::request)
        if (Parsed<void> request = check_request(); !request)
            return std::unexpected(std::move(request.error()));
    return head_end_;
}

// How long the body is must be said once and in one way.
Parsed<void> Parser::check_framing() const {
    const Headers& headers = head_.headers;
    const std::size_t lengths = headers.count("content-length");
    const std::size_t codings = headers.count("transfer-encoding");
    if (lengths > 1) return refuse(400, "Content-Length is given more than once");
    if (lengths == 1 && !all_digits(headers.get("content-length")))
        return refuse(400, "Content-Length is not a number");
    if (lengths > 0 && codings > 0)
        return refuse(400, "both Content-Length and Transfer-Encoding are given");
    if (codings > 1) return refuse(400, "Transfer-Encoding is given more than once");
    if (codings == 1 && !equal_ignoring_case(headers.get("transfer-encoding"), "chunked"))
        return refuse(
            kind_ == Kind::request ? 501 : 502,
            "of the transfer codings only 'chunked' is supported"
        );
    if (codings == 1 && head_.version < 11) return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
    return {};
}

Parsed<void> Parser::check_request() const {
    const std::size_t hosts = head_.headers.count("host");
    if (hosts > 1) return refuse(400, "Host is given more than once");
    if (hosts == 0 && head_.version >= 11) return refuse(400, "the Host field is missing");
    if (!valid_host(head_.headers.get("host"))) return refuse(400, "the Host field is not a host");
    const std::string_view expect = head_.headers.get("expect");
    if (!expect.empty() && !equal_ignoring_case(expect, "100-continue"))
        return refuse(417, "of the expectations only '100-continue' is supported");
    return {};
}

Parsed<Parser::Piece> Parser::parse_body(std::string_view bytes, std::uint64_t body_max) {
    const auto too_large = [&] {
        return refuse(413, fmt::format("the body is larger than {} bytes", body_max));
    };
    if (content_length().value_or(0) > body_max) return too_large();
    Sink& sink = engine_->sink;
    sink.piece = {};
    error_code error;
    Piece piece;
    // Each call of put() takes one element: a chunk's size line, or bytes of the body.
    while (!body_done() && sink.piece.empty() && !error) {
        const std::string_view rest = bytes.substr(piece.consumed);
        piece.consumed += engine_->with([&](auto& reader) {
            return reader.put(boost::asio::const_buffer(rest.data(), rest.size()), error);
        });
        if (rest.empty()) break;
    }
    piece.body = sink.piece;
    body_size_ += piece.body.size();
    if (body_size_ > body_max) return too_large();
    if (error && error != beast::http::error::need_more)
        return refuse(400, "the body is malformed: " + error.message());
    piece.need_more = !body_done() && piece.body.empty();
    if (piece.need_more && chunked() && bytes.size() - piece.consumed > kChunkHeaderMax)
        return refuse(
            400,
            fmt::format("a chunk header or the trailers are larger than {} bytes", kChunkHeaderMax)
        );
    return piece;
}

bool Parser::body_done() const {
    return engine_->with([](auto& reader) { return reader.is_done(); });
}

Parsed<void> Parser::end_of_stream() {
    error_code error;
    engine_->with([&](auto& reader) { reader.put_eof(error); });
    if (error) return refuse(400, "the connection was closed before the end of the message");
    return {};
}

bool Parser::keep_alive() const {
    return engine_->with([](auto& reader) { return reader.is_header_done() && reader.keep_alive(); }
    );
}

std::optional<std::uint64_t> Parser::content_length() const {
    return engine_->with([](auto& reader) -> std::optional<std::uint64_t> {
        if (const auto length = reader.content_length()) return *length;
        return std::nullopt;
    });
}

bool Parser::chunked() const {
    return engine_->with([](auto& reader) { return reader.chunked(); });
}

}  // namespace penstock::http
