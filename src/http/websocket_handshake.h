// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "http/parser.h"
#include "http/url.h"
#include "http/websocket.h"

// Internal to src/http.
namespace penstock::http {

bool is_websocket_handshake(const Head& head);

// Answers the handshake with `headers` added.
io::Task<Result<std::unique_ptr<WebSocket>>> accept_websocket(
    io::Stream stream, Head handshake, Headers headers, std::string subprotocol,
    Duration idle_timeout, io::Deadline deadline
);
// Asks for it on a connection that was just made.
io::Task<Result<std::unique_ptr<WebSocket>>> open_websocket(
    io::Stream stream, Url url, Headers headers, Duration idle_timeout, io::Deadline deadline
);

}  // namespace penstock::http
