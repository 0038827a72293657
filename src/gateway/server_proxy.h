// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "http/client.h"
#include "http/router.h"

namespace penstock::gateway {

// Passes on what the platform's server answers itself (files, batches) where a gateway runs as a
// process of its own, so that clients need one address. Bodies are streamed in both directions; the
// client's key goes to the server, which judges it. The gateway's thread.
class ServerProxy {
  public:
    static constexpr Duration kAnswerTimeout = 60s;  // up to the header of the server's answer
    static constexpr std::size_t kBodyMax = 256UL * 1024 * 1024;  // the server has its own limits

    ServerProxy(io::Runtime& runtime, std::string server_url);
    void add_routes(http::Router& router);

  private:
    io::Task<http::Response> pass(http::Request request);

    http::Client client_;
    std::string server_url_;
};

}  // namespace penstock::gateway
