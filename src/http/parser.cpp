// SPDX-License-Identifier: Apache-2.0
#include "http/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"

// header       = start-line CRLF *( field CRLF ) CRLF
// request-line = token SP target SP version
// status-line  = version SP 3DIGIT SP reason
// version      = "HTTP/1.0" / "HTTP/1.1"
// field        = token ":" OWS value OWS
namespace penstock::http {
namespace {

// The size line of a chunk with its extensions, and all trailers together, each below this.
constexpr std::size_t kChunkHeaderMax = 8192;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool valid_host(std::string_view host) {
    return std::ranges::none_of(host, [](char c) {
        return c <= ' ' || c == 0x7F || c == '/' || c == '?' || c == '#' || c == '@' || c == '\\' ||
               c == ',';
    });
}

bool valid_target(std::string_view target) {
    return !target.empty() && std::ranges::none_of(target, [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == 0x7F;
    });
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// Decimal digits only, below 2⁶⁴.
std::optional<std::uint64_t> read_length(std::string_view text) {
    std::uint64_t length = 0;
    if (text.empty() || !std::ranges::all_of(text, is_digit)) return std::nullopt;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (error != std::errc() || at != text.data() + text.size()) return std::nullopt;
    return length;
}

std::unexpected<Refusal> malformed(std::string_view what) {
    return refuse(400, fmt::format("the header is malformed: bad {}", what));
}

}  // namespace

std::unexpected<Refusal> refuse(int status, std::string message) {
    return std::unexpected(
        Refusal{status, {error_code_from_http_status(status), std::move(message), {}}}
    );
}

void Parser::begin(bool no_body) {
    if (head_)
        *head_ = {};
    else
        head_ = std::make_unique<Head>();
    version_ = head_->version;
    scanned_ = line_begin_ = 0;
    no_body_ = no_body;
    says_close_ = says_keep_alive_ = lasts_until_close_ = false;
    length_.reset();
    body_ = Body::unknown;
    length_left_ = body_size_ = 0;
    chunks_.end();
}

// ---- header ----

Parsed<std::optional<std::size_t>> Parser::parse_head(std::string_view bytes) {
    if (bytes.empty()) return std::nullopt;
    const auto first = static_cast<unsigned char>(bytes.front());
    if (scanned_ == 0 && (first <= ' ' || first >= 0x7F))
        return refuse(400, "the message does not begin with a token");
    while (true) {
        const std::size_t end = bytes.find('\n', scanned_);
        if (std::min(end, bytes.size()) >= header_max_)
            return refuse(431, fmt::format("the header is larger than {} bytes", header_max_));
        if (end == std::string_view::npos) {
            scanned_ = bytes.size();
            return std::nullopt;
        }
        const std::string_view line = bytes.substr(line_begin_, end - line_begin_);
        if (!line.ends_with('\r'))
            return refuse(400, "a line of the header ends in LF instead of CR LF");
        const bool is_first = line_begin_ == 0;
        scanned_ = line_begin_ = end + 1;
        if (line.size() == 1 && !is_first) break;
        if (Parsed<void> read = read_line(line.substr(0, line.size() - 1)); !read)
            return std::unexpected(std::move(read.error()));
    }
    if (Parsed<void> framing = check_framing(); !framing)
        return std::unexpected(std::move(framing.error()));
    if (kind_ == Kind::request)
        if (Parsed<void> request = check_request(); !request)
            return std::unexpected(std::move(request.error()));
    begin_body();
    return line_begin_;
}

// Refuses first what parsers disagree about.
Parsed<void> Parser::read_line(std::string_view line) {
    const bool is_start = head_->method.empty() && head_->status == 0;
    if (!valid_field_value(line)) {
        if (line.contains('\r')) return refuse(400, "a line of the header contains a bare CR");
        if (line.contains('\0')) return refuse(400, "the header contains a NUL byte");
        return refuse(400, "the header contains a control character");
    }
    if (!is_start) return read_field(line);
    return kind_ == Kind::request ? read_request_line(line) : read_status_line(line);
}

Parsed<void> Parser::read_request_line(std::string_view line) {
    const std::size_t method_end = std::min(line.find(' '), line.size());
    const std::string_view method = line.substr(0, method_end);
    if (!valid_field_name(method) || method_end == line.size()) return malformed("method");
    line.remove_prefix(method_end + 1);
    const std::size_t target_end = std::min(line.find(' '), line.size());
    const std::string_view target = line.substr(0, target_end);
    if (!valid_target(target) || target_end == line.size()) return malformed("target");
    head_->method = method;
    head_->target = target;
    return read_version(line.substr(target_end + 1));
}

Parsed<void> Parser::read_status_line(std::string_view line) {
    constexpr std::size_t kVersionSize = 8;
    constexpr std::size_t kStatusSize = 5;  // with the spaces around it
    if (Parsed<void> version = read_version(line.substr(0, kVersionSize)); !version) return version;
    const std::string_view status = line.substr(kVersionSize, kStatusSize);
    if (status.size() < kStatusSize || status.front() != ' ' || status.back() != ' ' ||
        status[1] == '0' || !std::ranges::all_of(status.substr(1, 3), is_digit))
        return malformed("status");
    head_->status = (status[1] - '0') * 100 + (status[2] - '0') * 10 + (status[3] - '0');
    return {};
}

Parsed<void> Parser::read_version(std::string_view text) {
    if (text != "HTTP/1.1" && text != "HTTP/1.0")
        return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    head_->version = version_ = text.back() == '1' ? 11 : 10;
    return {};
}

Parsed<void> Parser::read_field(std::string_view line) {
    if (line.front() == ' ' || line.front() == '\t')
        return refuse(400, "the header contains a folded line");
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !valid_field_name(name)) return malformed("field");
    if (head_->headers.size() == Headers::kFieldsMax)
        return refuse(431, fmt::format("the header has more than {} fields", Headers::kFieldsMax));
    const std::string_view value = trim(line.substr(colon + 1));
    head_->headers.add(name, value);
    const bool is_connection =
        equal_ignoring_case(name, "connection") || equal_ignoring_case(name, "proxy-connection");
    return is_connection ? read_connection(value) : Parsed<void>();
}

Parsed<void> Parser::read_connection(std::string_view list) {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        const std::string_view token = trim(list.substr(0, comma));
        list.remove_prefix(std::min(comma + 1, list.size()));
        if (token.empty()) continue;
        if (!valid_field_name(token)) return malformed("value");
        says_close_ = says_close_ || equal_ignoring_case(token, "close");
        says_keep_alive_ = says_keep_alive_ || equal_ignoring_case(token, "keep-alive");
    }
    return {};
}

// How long the body is must be said once and in one way.
Parsed<void> Parser::check_framing() {
    const Headers& headers = head_->headers;
    const std::size_t lengths = headers.count("content-length");
    const std::size_t codings = headers.count("transfer-encoding");
    if (lengths > 0 && codings > 0)
        return refuse(400, "both Content-Length and Transfer-Encoding are given");
    if (lengths > 1) return refuse(400, "Content-Length is given more than once");
    if (lengths == 1) {
        length_ = read_length(headers.get("content-length"));
        if (!length_) return refuse(400, "Content-Length is not a number");
    }
    if (codings > 1) return refuse(400, "Transfer-Encoding is given more than once");
    if (codings == 1 && !equal_ignoring_case(headers.get("transfer-encoding"), "chunked"))
        return refuse(
            kind_ == Kind::request ? 501 : 502,
            "of the transfer codings only 'chunked' is supported"
        );
    if (codings == 1 && version_ < 11) return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
    if (codings == 1) body_ = Body::chunks;
    return {};
}

Parsed<void> Parser::check_request() const {
    const std::size_t hosts = head_->headers.count("host");
    if (hosts > 1) return refuse(400, "Host is given more than once");
    if (hosts == 0 && version_ >= 11) return refuse(400, "the Host field is missing");
    if (!valid_host(head_->headers.get("host"))) return refuse(400, "the Host field is not a host");
    const std::string_view expect = head_->headers.get("expect");
    if (!expect.empty() && !equal_ignoring_case(expect, "100-continue"))
        return refuse(417, "of the expectations only '100-continue' is supported");
    return {};
}

// ---- body ----

void Parser::begin_body() {
    const bool bodiless =
        no_body_ || (kind_ == Kind::response &&
                     (head_->status / 100 == 1 || head_->status == 204 || head_->status == 304));
    if (bodiless) {
        body_ = Body::done;
    } else if (body_ == Body::chunks) {
        chunks_.begin();
    } else if (length_) {
        length_left_ = *length_;
        body_ = length_left_ > 0 ? Body::length : Body::done;
    } else {
        body_ = kind_ == Kind::request ? Body::done : Body::until_close;
        lasts_until_close_ = body_ == Body::until_close;
    }
}

Parsed<Parser::Piece> Parser::parse_body(std::string_view bytes, std::uint64_t body_max) {
    const auto too_large = [&] {
        return refuse(413, fmt::format("the body is larger than {} bytes", body_max));
    };
    if (length_.value_or(0) > body_max) return too_large();
    Piece piece;
    if (body_ == Body::chunks) {
        const Result<ChunkReader::Piece> chunk = chunks_.read(bytes);
        if (!chunk) return refuse(400, "the body is malformed: " + chunk.error().message);
        piece = {.consumed = chunk->consumed, .body = chunk->body};
        if (chunks_.done()) body_ = Body::done;
    } else if (body_ == Body::length) {
        piece.body = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), length_left_));
        piece.consumed = piece.body.size();
        length_left_ -= piece.consumed;
        if (length_left_ == 0) body_ = Body::done;
    } else if (body_ == Body::until_close) {
        piece = {.consumed = bytes.size(), .body = bytes};
    }
    body_size_ += piece.body.size();
    if (body_size_ > body_max) return too_large();
    piece.need_more = !body_done() && piece.body.empty();
    if (piece.need_more && body_ == Body::chunks && bytes.size() - piece.consumed > kChunkHeaderMax)
        return refuse(
            400,
            fmt::format("a chunk header or the trailers are larger than {} bytes", kChunkHeaderMax)
        );
    return piece;
}

Parsed<void> Parser::end_of_stream() {
    if (body_ != Body::until_close && body_ != Body::done)
        return refuse(400, "the connection was closed before the end of the message");
    body_ = Body::done;
    return {};
}

std::optional<std::uint64_t> Parser::length_left() const {
    if (body_ != Body::length) return std::nullopt;
    return length_left_;
}

void Parser::took_of_length(std::uint64_t size) {
    CHECK(body_ == Body::length && size <= length_left_, "they are of the body");
    length_left_ -= size;
    body_size_ += size;
    if (length_left_ == 0) body_ = Body::done;
}

bool Parser::keep_alive() const {
    if (body_ == Body::unknown || lasts_until_close_) return false;
    return !says_close_ && (version_ >= 11 || says_keep_alive_);
}

}  // namespace penstock::http
