// SPDX-License-Identifier: Apache-2.0
#include "http/message_reader.h"

#include <algorithm>
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

void InputBuffer::resize(std::size_t room) {
    auto bytes = std::make_unique_for_overwrite<char[]>(room);
    if (end_ > 0) std::memcpy(bytes.get(), bytes_.get(), end_);
    bytes_ = std::move(bytes);
    room_ = room;
}

std::span<char> InputBuffer::prepare(std::size_t usual) {
    if (begin_ > 0) {
        std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    std::size_t room = std::max(room_, usual);
    if (end_ == room_)
        room = std::max(2 * room_, usual);
    else if (filled_)
        room = std::max(room, std::min(4 * room_, kReadBytes));
    else if (end_ <= usual / 2 && last_ <= usual)
        room = usual;  // the end of a chunk stays until the next one begins
    if (room != room_) resize(room);
    return {bytes_.get() + end_, room_ - end_};
}

void InputBuffer::commit(std::size_t size) {
    end_ += size;
    last_ = size;
    filled_ = end_ == room_;
}

void InputBuffer::release() {
    if (!empty()) return;
    bytes_.reset();
    room_ = begin_ = end_ = last_ = 0;
    filled_ = false;
}

std::string InputBuffer::take() {
    std::string bytes(view());
    begin_ = end_ = 0;
    return bytes;
}

io::Task<Parsed<bool>> MessageReader::read_head(
    io::Deadline idle, Duration header_timeout, bool no_body
) {
    buffer_.consume(std::exchange(used_, 0));
    parser_.begin(no_body);
    saw_bytes_ = false;
    end_.reset();
    io::Deadline deadline = idle;
    while (true) {
        // An empty line before a request is left over from a sloppy body; RFC 9112 lets it pass.
        if (!saw_bytes_ && buffer_.view().starts_with("\r\n")) buffer_.consume(2);
        if (!buffer_.empty()) {
            if (!saw_bytes_ && header_timeout != Duration::max())
                deadline = earlier(idle, io::Deadline::after(header_timeout));
            saw_bytes_ = true;
            Parsed<std::optional<std::size_t>> head = parser_.parse_head(buffer_.view());
            if (!head) co_return std::unexpected(std::move(head.error()));
            if (*head) {
                buffer_.consume(**head);
                buffer_.forget_size();
                co_return true;
            }
        }
        const std::optional<Result<std::size_t>> now = first_now();
        const Result<std::size_t> size =
            now ? *now : co_await stream_->read_some(buffer_.prepare(), deadline);
        if (!size && !saw_bytes_) {
            end_ = std::make_unique<Error>(size.error());
            co_return false;
        }
        if (!size) co_return std::unexpected(refusal_of(size.error()));
        if (*size == 0 && !saw_bytes_) co_return false;
        if (*size == 0) co_return refuse(400, "the connection was closed within the header");
        buffer_.commit(*size);
    }
}

// A client that connects has mostly sent its request by the time it is accepted.
std::optional<Result<std::size_t>> MessageReader::first_now() {
    const bool first = parser_.kind() == Parser::Kind::request && !std::exchange(begun_, true);
    if (!first || stream_->is_secure()) return std::nullopt;
    const Result<std::optional<std::size_t>> came = stream_->read_now(buffer_.prepare());
    if (!came) return std::unexpected(came.error());
    return *came;
}

std::optional<Parsed<std::string_view>> MessageReader::body_now(std::uint64_t body_max) {
    buffer_.consume(std::exchange(used_, 0));
    while (!parser_.body_done()) {
        Parsed<Parser::Piece> piece = parser_.parse_body(buffer_.view(), body_max);
        if (!piece) return std::unexpected(std::move(piece.error()));
        if (!piece->body.empty()) {
            used_ = piece->consumed;
            return piece->body;
        }
        buffer_.consume(piece->consumed);
        if (piece->need_more) return std::nullopt;
    }
    return std::string_view();
}

void MessageReader::let_go_of_piece() { buffer_.consume(std::exchange(used_, 0)); }

void MessageReader::release() {
    let_go_of_piece();
    buffer_.release();
}

std::span<char> MessageReader::prepare_for_body() {
    const std::optional<std::uint64_t> left = parser_.length_left();
    const std::size_t usual = left ? static_cast<std::size_t>(std::clamp<std::uint64_t>(
                                         *left, InputBuffer::kPieceBytes, InputBuffer::kLengthBytes
                                     ))
                                   : InputBuffer::kPieceBytes;
    return buffer_.prepare(usual);
}

io::Task<Result<std::size_t>> MessageReader::fill(io::Deadline deadline) {
    return stream_->read_some(prepare_for_body(), deadline);
}

io::Task<Result<std::size_t>> MessageReader::fill_piece(io::Deadline deadline) {
    return stream_->read_piece(prepare_for_body(), deadline);
}

Parsed<void> MessageReader::filled(const Result<std::size_t>& came) {
    if (!came) return std::unexpected(refusal_of(came.error()));
    buffer_.commit(*came);
    return *came == 0 ? parser_.end_of_stream() : Parsed<void>();
}

Parsed<std::size_t> MessageReader::body_straight(std::string& into) {
    const std::uint64_t left = parser_.length_left().value_or(0);
    if (left < kStraightMin || !buffer_.empty() || stream_->is_secure()) return 0;
    Result<std::optional<std::size_t>> came = std::optional<std::size_t>();
    const std::size_t before = into.size();
    // As much as there is room for without moving what has come.
    const std::size_t room =
        std::min<std::uint64_t>(left, std::max(into.capacity() - before, kStraightMin));
    into.resize_and_overwrite(before + room, [&](char* bytes, std::size_t) {
        came = stream_->read_now({bytes + before, room});
        return before + (came ? came->value_or(0) : 0);
    });
    if (!came) return std::unexpected(refusal_of(came.error()));
    if (!*came) return 0;
    if (**came == 0) {
        if (Parsed<void> end = parser_.end_of_stream(); !end)
            return std::unexpected(std::move(end.error()));
    }
    parser_.took_of_length(**came);
    return **came;
}

io::Task<Parsed<std::string_view>> MessageReader::read_body(
    std::uint64_t body_max, io::Deadline deadline
) {
    while (true) {
        if (std::optional<Parsed<std::string_view>> piece = body_now(body_max))
            co_return *std::move(piece);
        if (Parsed<void> more = filled(co_await fill(deadline)); !more)
            co_return std::unexpected(std::move(more.error()));
    }
}

}  // namespace penstock::http
