// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "io/stream.h"
#include "io/task.h"

namespace penstock::http {

// A message larger than this ends the connection with close code 1009.
constexpr std::size_t kWebSocketMessageMax = 8UL * 1024 * 1024;
// Messages that may wait in one WebSocket; further ones are refused with resource_exhausted.
constexpr std::size_t kWebSocketQueueMax = 1024;

// One WebSocket (RFC 6455), either side. One task receives; any number may send: messages go out
// whole and in order. A ping goes out when nothing was heard for half the idle timeout; when the
// timeout passes in silence the connection ends.
class WebSocket {
  public:
    struct Message {
        std::string data;
        bool text = true;
    };
    enum CloseCode : std::uint16_t {
        kNormal = 1000,
        kGoingAway = 1001,
        kProtocolError = 1002,
        kPolicyViolation = 1008,
        kTooBig = 1009,
        kInternalError = 1011,
        kTryAgainLater = 1013,
    };

    ~WebSocket();
    WebSocket(const WebSocket&) = delete;
    WebSocket& operator=(const WebSocket&) = delete;

    // Nothing after the peer's close frame. A connection that was cut or fell silent is
    // unavailable. Pings are answered only while a receive waits, so keep one waiting.
    io::Task<Result<std::optional<Message>>> receive();
    // Returns when the message was handed to the system.
    io::Task<Result<void>> send_text(std::string text);
    io::Task<Result<void>> send_binary(std::string bytes);
    // Sends a close frame (unless one was sent) and ends the connection.
    io::Task<void> close(CloseCode code = kNormal, std::string reason = {});
    // Cuts the connection; a waiting receive or send ends.
    void abort();

    bool is_open() const;
    // What the peer said when it closed.
    std::uint16_t close_code() const;
    const std::string& close_reason() const;
    const std::string& subprotocol() const;
    const std::string& peer() const;

    struct State;
    explicit WebSocket(std::unique_ptr<State> state);

  private:
    io::Task<Result<void>> send(std::string data, bool text);
    std::unique_ptr<State> state_;
};

}  // namespace penstock::http
