// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace penstock::io {

struct TlsServerOptions {
    std::string certificate_file;  // PEM, the chain with the leaf first
    std::string key_file;          // PEM
    std::string client_ca_file;    // PEM; when set, clients must show a certificate signed by it
};

struct TlsClientOptions {
    std::string ca_file;           // PEM; empty: the system's store
    std::string certificate_file;  // our own, for servers that ask for one
    std::string key_file;
    bool verify = true;  // false only where a person asked for it
};

// Keys and trust for TLS 1.2 and 1.3. Made once, shared by all connections, immutable.
class TlsContext {
  public:
    static Result<TlsContext> server(const TlsServerOptions& options);
    static Result<TlsContext> client(const TlsClientOptions& options);

    struct State;
    const std::shared_ptr<State>& state() const { return state_; }

  private:
    explicit TlsContext(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;  // shared: every open connection needs it
};

}  // namespace penstock::io
