// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "http/headers.h"
#include "http/url.h"
#include "io/deadline.h"
#include "io/task.h"

namespace penstock::http {

class Connection;  // the server's own
class WebSocket;
struct Route;

// The body of a request whose route asked for it in pieces. A handle, valid until the response of
// that request has been sent. Sends "100 Continue" at the first read when the client waits for it.
class BodyReader {
  public:
    BodyReader() = default;
    explicit BodyReader(Connection* connection) : connection_(connection) {}
    // The next piece, empty at the end; it stays valid until the next read. Over the route's
    // body_max: resource_exhausted. A body that was cut is unavailable.
    io::Task<Result<std::string_view>> read();
    // The same where it is there already; else nothing.
    std::optional<Result<std::string_view>> read_now();
    // All that is left, in one text.
    io::Task<Result<std::string>> read_all();
    // The same where it is all there already; else nothing, and nothing is taken.
    std::optional<std::string> read_all_now();

  private:
    Connection* connection_ = nullptr;
};

// Writes a streamed response, one chunk and one system call per write. A handle, valid while the
// StreamBody that got it runs.
class BodyWriter {
  public:
    explicit BodyWriter(Connection* connection) : connection_(connection) {}
    // Waits while the client reads slower than we write. When the client has gone: unavailable.
    // An empty text writes nothing (only sends the header, if that was not yet sent).
    io::Task<Result<void>> write(std::string_view bytes);
    // The same for one of several pieces, which go out together when push() says that no more of
    // them have come, or with whatever is written next. Nothing: not all could go out at once; what
    // is left was copied, and flush() must be awaited before the next write.
    std::optional<Result<void>> write_now(std::string_view bytes);
    void push();
    // Nor is what has come put off to the end of the loop's turn.
    void push_now();
    io::Task<Result<void>> flush();
    // The response will be cut, visibly to the client, instead of ended: for an upstream that died.
    void abort();

  private:
    Connection* connection_ = nullptr;
};

// Tells whether the client is still there while a handler waits for something else. A handle, valid
// until the response has been sent.
//     auto reply = co_await request.client.unless_gone(ask_upstream(…));
//     if (!reply) …  // nobody waits for the answer any more
class ClientWatch {
  public:
    ClientWatch() = default;
    explicit ClientWatch(Connection* connection) : connection_(connection) {}
    // Returns when the client has closed or lost its connection. It may also half-close after its
    // request; Penstock takes that as gone, as most servers do.
    io::Task<void> gone();
    // The result of `task`, which is cancelled, and gives nothing, when the client goes. One at a
    // time.
    template <class T>
    io::Task<std::optional<T>> unless_gone(io::Task<T> task) {
        if (!can_be_told()) co_return co_await io::race(std::move(task), gone());
        const bool* const has_gone = begin_watch();
        if (*has_gone) co_return std::nullopt;
        std::optional<T> result;
        try {
            result.emplace(co_await std::move(task));
        } catch (const std::exception& error) {
            if (!*has_gone || !io::is_cancelled(error)) throw;
        }
        // The cancellation was ours and ends here.
        if (*has_gone) co_await io::forget_cancellation();
        end_watch();
        co_return result;
    }

  private:
    bool can_be_told() const;
    const bool* begin_watch();
    void end_watch();

    Connection* connection_ = nullptr;
};

struct Request {
    std::string method;
    std::string target;  // as it came
    std::string path;    // as it came, without the query; not decoded
    Query query;
    Headers headers;
    std::string body;   // whole; empty when the route streams it
    BodyReader reader;  // for routes with RouteOptions::stream_body
    ClientWatch client;
    std::string peer;        // "127.0.0.1:50412"
    std::string peer_name;   // common name of a verified client certificate
    std::string request_id;  // the client's X-Request-Id, or made here; always sent back
    bool secure = false;
    std::vector<std::pair<std::string, std::string>> params;  // of the path, decoded
    io::Deadline deadline;         // of the route, or set by a middleware
    const Route* route = nullptr;  // nullptr when none matched
    // What a middleware found out and a handler needs: `request.context = Caller{…}`.
    std::any context;

    // A path parameter of the route; CHECKs that the route has it.
    const std::string& param(std::string_view name) const;
    template <class T>
    const T* context_as() const {
        return std::any_cast<T>(&context);
    }
};

using StreamBody = std::move_only_function<io::Task<void>(BodyWriter)>;
// Runs after the handshake; the WebSocket is closed when the task ends and nobody else holds it.
// Shared: a session is usually read by its own task and written to by others.
struct Upgrade {
    std::move_only_function<io::Task<void>(std::shared_ptr<WebSocket>)> run;
    std::string subprotocol;  // the one chosen from Sec-WebSocket-Protocol, or empty
};
struct FileBody {
    std::filesystem::path path;
    std::uint64_t offset = 0;
    std::uint64_t length = UINT64_MAX;  // to the end at most
};

struct Response {
    int status = 200;
    Headers headers;
    std::variant<std::string, StreamBody, FileBody, Upgrade> body;

    static Response json(int status, std::string body);
    static Response text(int status, std::string body);
    static Response empty(int status = 204);
    // text/event-stream, uncached, not buffered by proxies.
    static Response event_stream(StreamBody body);
    static Response file(std::filesystem::path path, std::string content_type);
    static Response websocket(
        std::move_only_function<io::Task<void>(std::shared_ptr<WebSocket>)> run,
        std::string subprotocol = {}
    );
};

// "Not Found"; "Unknown" for a status that is in no registry.
std::string_view reason_phrase(int status);

}  // namespace penstock::http
