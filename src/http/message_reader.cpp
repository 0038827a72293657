// SPDX-License-Identifier: Apache-2.0
#include "http/message_reader.h"

#include <cstring>
#include <utility>

namespace penstock::http {
namespace {

Refusal refusal_of(const Error& error) {
    return {error.code == ErrorCode::deadline_exceeded ? 408 : 400, error};
}

}  // namespace

void InputBuffer::consume(std::size_t size) {
    begin_ += size;
    if (begin_ == end_) begin_ = end_ = 0;
}

std::span<char> InputBuffer::prepare() {
    if (begin_ > 0) {
        std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (bytes_.size() < kIdleBytes) bytes_.resize(kIdleBytes);
    // A full buffer means that much is coming.
    if (end_ == bytes_.size()) bytes_.resize(std::max(bytes_.size() * 2, kReadBytes / 4));
    return std::span(bytes_).subspan(end_);
}

void InputBuffer::shrink() {
    if (!empty() || bytes_.size() <= kIdleBytes) return;
    bytes_ = std::string();
    begin_ = end_ = 0;
}

std::string InputBuffer::take() {
    std::string bytes(view());
    begin_ = end_ = 0;
    return bytes;
}

io::Task<Parsed<bool>> MessageReader::read_head(
    io::Deadline idle, Duration header_timeout, bool no_body
) {
    buffer_.consume(used_);
    used_ = 0;
    buffer_.shrink();
    parser_.begin(no_body);
    saw_bytes_ = false;
    body_size_ = 0;
    end_ = {ErrorCode::unavailable, {}, {}};
    io::Deadline deadline = idle;
    while (true) {
        // An empty line before a request is left over from a sloppy body; RFC 9112 lets it pass.
        if (!saw_bytes_ && buffer_.view().starts_with("\r\n")) buffer_.consume(2);
        if (!buffer_.empty()) {
            if (!saw_bytes_) deadline = earlier(idle, io::Deadline::after(header_timeout));
            saw_bytes_ = true;
            Parsed<std::optional<std::size_t>> head = parser_.parse_head(buffer_.view());
            if (!head) co_return std::unexpected(std::move(head.error()));
            if (*head) {
                buffer_.consume(**head);
                co_return true;
            }
        }
        const Result<std::size_t> size = co_await stream_->read_some(buffer_.prepare(), deadline);
        if (!size && !saw_bytes_) {
            end_ = size.error();
            co_return false;
        }
        if (!size) co_return std::unexpected(refusal_of(size.error()));
        if (*size == 0 && !saw_bytes_) co_return false;
        if (*size == 0) co_return refuse(400, "the connection was closed within the header");
        buffer_.commit(*size);
    }
}

std::optional<Parsed<std::string_view>> MessageReader::body_now(std::uint64_t body_max) {
    buffer_.consume(std::exchange(used_, 0));
    while (!parser_.body_done()) {
        Parsed<Parser::Piece> piece = parser_.parse_body(buffer_.view(), body_max);
        if (!piece) return std::unexpected(std::move(piece.error()));
        if (!piece->body.empty()) {
            used_ = piece->consumed;
            body_size_ += piece->body.size();
            return piece->body;
        }
        buffer_.consume(piece->consumed);
        if (piece->need_more) return std::nullopt;
    }
    return std::string_view();
}

io::Task<Parsed<std::string_view>> MessageReader::read_body(
    std::uint64_t body_max, io::Deadline deadline
) {
    while (true) {
        if (std::optional<Parsed<std::string_view>> piece = body_now(body_max))
            co_return *std::move(piece);
        const Result<std::size_t> size = co_await stream_->read_some(buffer_.prepare(), deadline);
        if (!size) co_return std::unexpected(refusal_of(size.error()));
        if (*size == 0) {
            if (Parsed<void> end = parser_.end_of_stream(); !end)
                co_return std::unexpected(std::move(end.error()));
        }
        buffer_.commit(*size);
    }
}

}  // namespace penstock::http
