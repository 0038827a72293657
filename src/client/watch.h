// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "client/connection.h"
#include "http/sse.h"

namespace penstock::client {

// Silence that is longer than the server's heartbeats can explain: the connection is made anew.
constexpr Duration kWatchSilenceMax = 60s;
// Failed connections in a row after which the watch gives up with the last error.
constexpr int kWatchTriesMax = 12;

// A server-sent stream that goes on over lost connections: it returns with the last cursor it has
// seen, and what comes twice is dropped, so every message is given once, in order.
class Watch {
  public:
    // `since` < 0: from the start of what the server keeps.
    Watch(Connection& connection, std::string path, http::Query query, std::int64_t since);

    struct Message {
        std::int64_t cursor = 0;
        std::string event;
        std::string data;
    };
    // Nothing at the server's "end" event. An error is final.
    io::Task<Result<std::optional<Message>>> next();
    std::int64_t cursor() const { return cursor_; }
    // How often the stream was made anew.
    int reconnects() const { return reconnects_; }

    template <class T>
    io::Task<Result<std::optional<T>>> next_as() {
        std::optional<Message> message = CO_TRY(co_await next());
        if (!message) co_return std::optional<T>();
        co_return std::optional<T>(CO_TRY(json::parse_answer<T>(message->data)));
    }

  private:
    io::Task<Result<void>> connect();
    std::optional<Message> take();

    Connection& connection_;
    std::string path_;
    http::Query query_;
    std::int64_t cursor_;
    std::optional<http::ResponseStream> stream_;
    http::SseParser parser_;
    bool ended_ = false;
    int failures_ = 0;
    int reconnects_ = 0;
};

}  // namespace penstock::client
