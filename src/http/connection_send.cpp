// SPDX-License-Identifier: Apache-2.0
// The half of Connection that writes answers.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "http/connection.h"
#include "http/problem.h"
#include "http/websocket.h"
#include "http/websocket_handshake.h"

namespace penstock::http {
namespace {

constexpr std::size_t kWritePiece = 256UL * 1024;  // each gets the whole write timeout
constexpr std::size_t kHeadBytesUsual = 1024;      // room for a header that is made at once
constexpr std::string_view kLastChunk = "0\r\n\r\n";

// What the connection itself says, whatever a handler wrote.
bool is_framing(std::string_view name) {
    return equal_ignoring_case(name, "content-length") ||
           equal_ignoring_case(name, "transfer-encoding") ||
           equal_ignoring_case(name, "connection") || equal_ignoring_case(name, "date");
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

// A file that is being sent.
class File {
  public:
    explicit File(const std::filesystem::path& path)
        : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~File() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    // Of a regular file; nothing otherwise.
    std::optional<std::uint64_t> size() const {
        struct stat status{};
        if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode))
            return std::nullopt;
        return static_cast<std::uint64_t>(status.st_size);
    }
    Result<std::string> read(std::uint64_t offset, std::size_t size) const {
        std::string bytes(size, '\0');
        const ssize_t read = ::pread(descriptor_, bytes.data(), size, static_cast<off_t>(offset));
        if (read <= 0)
            return fail(ErrorCode::internal, read == 0 ? "the file was cut" : std::strerror(errno));
        bytes.resize(static_cast<std::size_t>(read));
        return bytes;
    }

  private:
    int descriptor_;
};

}  // namespace

void Connection::begin_answer() {
    if (server_->stopping || server_->retiring) keep_ = false;
    // A client that waits for "100 Continue" may send the body or not: its next bytes mean nothing.
    if (expects_continue_) keep_ = false;
    unsent_.clear();
}

// Nothing: what the handler left of the request's body is read over first.
std::optional<Connection::Next> Connection::end_answer(bool sent) {
    log_request(write_error_ ? std::string_view(write_error_->message) : cut_ ? "cut" : "");
    if (!sent) return Next::end;
    if (reader_.body_done() && (keep_ || reader_.buffer().empty()))
        return keep_ ? Next::request : Next::end;
    return std::nullopt;
}

// Reads over what a handler left of the body, so that the next request can follow.
io::Task<Connection::Next> Connection::drain_body() {
    std::size_t drained = 0;
    while (keep_ && !reader_.body_done() && drained <= kDrainBytesMax) {
        const Result<std::string_view> piece = co_await read_body();
        if (!piece) break;
        drained += piece->size();
    }
    if (keep_ && reader_.body_done()) co_return Next::request;
    co_await linger();
    co_return Next::end;
}

std::string Connection::print_head(const Response& response, std::optional<std::uint64_t> length) {
    std::string head;
    head.reserve(kHeadBytesUsual);
    const auto line = [&](std::string_view name, std::string_view value) {
        head.append(name).append(": ").append(value).append("\r\n");
    };
    head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
    head.append(reason_phrase(response.status)).append("\r\n");
    for (const Header& field : response.headers) {
        if (is_framing(field.name)) continue;
        if (valid_field_name(field.name) && valid_field_value(field.value))
            line(field.name, field.value);
        else
            server_->log.error(
                "a response field was left out: it would break the message", {{"field", field.name}}
            );
    }
    if (!response.headers.contains("x-request-id")) line("X-Request-Id", asked_.request_id());
    line("Date", server_->date());
    if (length)
        line("Content-Length", std::to_string(*length));
    else if (framing_ == Framing::chunked)
        line("Transfer-Encoding", "chunked");
    if (!keep_)
        line("Connection", "close");
    else if (reader_.parser().version() < 11)
        line("Connection", "keep-alive");
    return head += "\r\n";
}

Connection::Text Connection::begin_text(Response& response) {
    Text text{.body = std::get<std::string>(std::move(response.body))};
    framing_ = has_no_body(response.status) ? Framing::none : Framing::length;
    std::optional<std::uint64_t> length;
    if (framing_ == Framing::length) length = text.body.size();
    // The answer to a HEAD may tell a length without having the body.
    if (head_only_ && text.body.empty() && response.headers.contains("content-length"))
        length =
            std::strtoull(std::string(response.headers.get("content-length")).c_str(), nullptr, 10);
    text.head = print_head(response, length);
    return text;
}

// Nothing: not all went out at once, send_text() sends the rest.
std::optional<bool> Connection::send_text_now(Text& text) {
    if (!head_only_ && framing_ != Framing::none) text.left = text.body;
    if (text.left.size() > kWritePiece) return std::nullopt;
    std::array<std::string_view, 2> parts = {text.head, text.left};
    const std::size_t size = text.left.size();
    std::span<std::string_view> rest = parts;
    // What is the last on its connection is not put off.
    Result<void> written = keep_ ? stream_.write_soon(rest) : stream_.write_now(rest);
    if (!written) {
        write_error_ = std::make_unique<Error>(std::move(written.error()));
        return false;
    }
    if (rest.empty()) {
        sent_ += size;
        return true;
    }
    text.head.erase(0, text.head.size() - (rest.size() == 2 ? rest[0].size() : 0));
    text.left = rest.back();
    return std::nullopt;
}

io::Task<bool> Connection::send_text(Text text) {
    // The views point into the text, which was moved.
    std::string_view left =
        text.left.empty() ? std::string_view()
                          : std::string_view(text.body).substr(text.body.size() - text.left.size());
    std::array<std::string_view, 2> parts = {text.head, left.substr(0, kWritePiece)};
    while (true) {
        const std::size_t size = parts[1].size();
        Result<void> written = co_await stream_.write(parts, write_deadline());
        if (!written) {
            write_error_ = std::make_unique<Error>(std::move(written.error()));
            co_return false;
        }
        left.remove_prefix(size);
        if (left.empty()) break;
        parts = {std::string_view(), left.substr(0, kWritePiece)};
    }
    sent_ += head_only_ ? 0 : text.body.size();
    co_return true;
}

// Whether a body follows. What is kept while it is written is the header, until it is sent with the
// first piece.
bool Connection::begin_stream(Response& response) {
    const std::string_view length = response.headers.get("content-length");
    framing_ = !length.empty()                    ? Framing::length
               : reader_.parser().version() >= 11 ? Framing::chunked
                                                  : Framing::until_close;
    if (framing_ == Framing::until_close) keep_ = false;
    length_left_ =
        framing_ == Framing::length ? std::strtoull(std::string(length).c_str(), nullptr, 10) : 0;
    unsent_ = print_head(
        response, framing_ == Framing::length ? std::optional(length_left_) : std::nullopt
    );
    reader_.parser().forget_head();
    if (reader_.body_done()) reader_.release();
    return !head_only_ && !has_no_body(response.status);
}

// What is still to be sent before it, and one chunk, for one system call.
Result<void> Connection::begin_chunk(std::string_view bytes, Chunk& chunk) {
    if (write_error_) return std::unexpected(*write_error_);
    if (cut_) return fail(ErrorCode::conflict, "the response was aborted");
    if (framing_ == Framing::length && bytes.size() > length_left_) {
        abort_response();
        return fail(
            ErrorCode::internal, "the handler writes more than the Content-Length that it gave"
        );
    }
    chunk.head = std::exchange(unsent_, {});
    std::string_view before;
    std::string_view after;
    if (framing_ == Framing::chunked && !bytes.empty()) {
        char* const begin = chunk.size_line.data();
        char* end = std::to_chars(begin, begin + chunk.size_line.size(), bytes.size(), 16).ptr;
        *end++ = '\r';
        *end++ = '\n';
        before = std::string_view(begin, end);
        after = "\r\n";
    }
    if (framing_ == Framing::length) length_left_ -= bytes.size();
    sent_ += bytes.size();
    chunk.parts = {chunk.head, before, bytes, after};
    return {};
}

io::Task<Result<void>> Connection::write_body(std::string_view bytes) {
    Chunk chunk;
    CO_TRY(begin_chunk(bytes, chunk));
    std::span<std::string_view> rest = chunk.parts;
    Result<void> written = stream_.write_now(rest);
    if (written && !rest.empty()) written = co_await stream_.write(rest, write_deadline());
    if (!written) write_error_ = std::make_unique<Error>(written.error());
    co_return written;
}

std::optional<Result<void>> Connection::write_body_now(std::string_view bytes) {
    Chunk chunk;
    if (Result<void> begun = begin_chunk(bytes, chunk); !begun) return begun;
    std::span<std::string_view> rest = chunk.parts;
    Result<void> written = stream_.keep(rest);
    if (!written) write_error_ = std::make_unique<Error>(written.error());
    if (!written || rest.empty()) return written;
    for (const std::string_view part : rest) unsent_ += part;
    return std::nullopt;
}

// That it failed, the next write tells.
void Connection::push_body_now() {
    std::span<std::string_view> nothing;
    (void)stream_.write_now(nothing);
}

io::Task<Result<void>> Connection::flush_body() {
    const std::string rest = std::exchange(unsent_, {});
    Result<void> written = co_await stream_.write(rest, write_deadline());
    if (!written) write_error_ = std::make_unique<Error>(written.error());
    co_return written;
}

void Connection::abort_response() { cut_ = true; }

// Ends the body so that the client can tell a whole answer from a cut one. Nothing: not all went
// out at once, flush_body() sends the rest.
std::optional<bool> Connection::finish_body_now(bool complete) {
    const bool bodiless = head_only_;
    if (!complete || cut_ || write_error_ || (length_left_ > 0 && !bodiless)) {
        if (complete && !cut_ && !write_error_)
            server_->log.error(
                "a response is shorter than its Content-Length",
                {{"request_id", asked_.request_id()}}
            );
        cut_ = true;
        // A missing end shows the cut, and what was sent still arrives. Only a body that ends with
        // the connection needs a reset to be seen as cut.
        if (framing_ == Framing::until_close)
            stream_.abort();
        else
            stream_.close();
        return false;
    }
    const std::string head = std::exchange(unsent_, {});
    std::array<std::string_view, 2> parts = {
        head, framing_ == Framing::chunked && !bodiless ? kLastChunk : std::string_view()
    };
    std::span<std::string_view> rest = parts;
    Result<void> written = stream_.write_now(rest);
    if (!written) {
        write_error_ = std::make_unique<Error>(std::move(written.error()));
        return false;
    }
    if (rest.empty()) return true;
    for (const std::string_view part : rest) unsent_ += part;
    return std::nullopt;
}

io::Task<Connection::Next> Connection::end_body(bool complete) {
    body_ = nullptr;  // what it holds is not needed any longer
    std::optional<bool> sent = finish_body_now(complete);
    if (!sent) sent = (co_await flush_body()).has_value();
    const std::optional<Next> next = end_answer(*sent);
    co_return next ? *next : co_await drain_body();
}

io::Task<bool> Connection::send_file(Response* response) {
    const FileBody body = std::get<FileBody>(std::move(response->body));
    const File file(body.path);
    const std::optional<std::uint64_t> size = file.size();
    if (!size || body.offset > *size) {
        Response missing = problem({ErrorCode::not_found, "the file is not there any more", {}});
        Text text = begin_text(missing);
        const std::optional<bool> now = send_text_now(text);
        co_return now ? *now : co_await send_text(std::move(text));
    }
    framing_ = Framing::length;
    length_left_ = std::min(body.length, *size - body.offset);
    unsent_ = print_head(*response, length_left_);
    std::uint64_t offset = body.offset;
    while (!head_only_ && length_left_ > 0 && !write_error_) {
        const auto want =
            static_cast<std::size_t>(std::min<std::uint64_t>(length_left_, kWritePiece));
        Result<std::string> piece = fail(ErrorCode::internal, "not read");
        if (server_->options.pool != nullptr)
            piece = co_await server_->options.pool->run([&file, offset, want] {
                return file.read(offset, want);
            });
        else
            piece = file.read(offset, want);
        if (!piece) {
            server_->log.error(
                "a file could not be sent", piece.error(), {{"path", body.path.string()}}
            );
            break;
        }
        offset += piece->size();
        (void)co_await write_body(*piece);
    }
    const std::optional<bool> ended = finish_body_now(true);
    co_return ended ? *ended : (co_await flush_body()).has_value();
}

bool Connection::can_upgrade() const { return handshake_ && is_websocket_handshake(*handshake_); }

Response Connection::upgrade_needed() const {
    Response needed = problem(
        {ErrorCode::invalid_argument, "this address speaks WebSocket (version 13) only", {}}, 426
    );
    needed.headers.set("Upgrade", "websocket");
    needed.headers.set("Sec-WebSocket-Version", "13");
    return needed;
}

// The connection is the WebSocket's from now on.
io::Task<> Connection::upgrade(Response* response) {
    Upgrade upgrade = std::get<Upgrade>(std::move(response->body));
    // What was put off goes out before another owner writes.
    (void)co_await stream_.write(std::string_view(), write_deadline());
    stream_.unread(reader_.buffer().take());
    response->headers.set("X-Request-Id", asked_.request_id());
    Result<std::unique_ptr<WebSocket>> accepted = co_await accept_websocket(
        std::move(stream_), *handshake_, std::move(response->headers),
        std::move(upgrade.subprotocol), server_->options.websocket_idle_timeout,
        io::Deadline::after(server_->options.header_timeout)
    );
    status_ = 101;
    log_request(accepted ? std::string_view() : std::string_view(accepted.error().message));
    if (!accepted) co_return;
    const std::shared_ptr<WebSocket> websocket = *std::move(accepted);
    websocket_ = websocket;
    try {
        co_await upgrade.run(websocket);
    } catch (const std::exception& error) {
        if (io::is_cancelled(error)) throw;
        log_thrown("a WebSocket session threw", error.what());
    }
}

}  // namespace penstock::http
