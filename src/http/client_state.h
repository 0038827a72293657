// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "http/client.h"
#include "http/message_reader.h"

// Internal to src/http.
namespace penstock::http {

// A connection to a server with what was read from it. Never moved: the reader refers to the
// stream.
struct ClientConnection {
    ClientConnection(io::Stream stream_given, std::size_t header_max)
        : stream(std::move(stream_given)), reader(&stream, Parser::Kind::response, header_max) {}
    io::Stream stream;
    MessageReader reader;
    bool reused = false;
    io::Deadline expires;  // when it may no longer be used again
};
using ConnectionPtr = std::unique_ptr<ClientConnection>;

// Where requests to a URL go, in the forms in which it is needed.
struct Target {
    Url url;
    std::string origin;
    std::string authority;
};
// Shared by the answers that are still being read.
using TargetPtr = std::shared_ptr<const Target>;

struct Client::State {
    State(io::Executor executor_given, ClientOptions options_given)
        : executor(std::move(executor_given)), options(std::move(options_given)) {}

    // A client mostly asks a few URLs again and again: they are read once.
    Result<TargetPtr> target_of(const std::string& url);
    // A kept connection that is still good, or nothing.
    ConnectionPtr take_idle(const std::string& origin);
    void keep(const std::string& origin, ConnectionPtr connection);
    // unavailable: within connect_timeout; deadline_exceeded: `deadline` itself passed.
    io::Task<Result<io::Stream>> connect(Url url, io::Deadline deadline);
    io::Task<Result<io::Stream>> connect_within(Url url, io::Deadline deadline);
    Result<io::TlsContext> tls_context();

    io::Executor executor;
    ClientOptions options;
    std::optional<io::TlsContext> tls;
    std::unordered_map<std::string, TargetPtr> targets;  // at most kTargetsMax, then none again
    // The newest last: it is used first, so that the others can go.
    std::unordered_map<std::string, std::deque<ConnectionPtr>> idle;
    std::size_t idle_count = 0;
};

struct ResponseStream::State {
    std::shared_ptr<Client::State> client;
    ConnectionPtr connection;
    TargetPtr target;
    std::unique_ptr<Head> head;  // null: forgotten
    int status = 0;
    bool reusable = false;
    std::unique_ptr<Error> broken;

    ~State();
    // The next piece of the body where it is there already; else nothing.
    std::optional<Result<std::string_view>> read_now();
    Result<std::string_view> take(Parsed<std::string_view> piece);
    // The body was read to its end: gives the connection back.
    void finish();
};

}  // namespace penstock::http
