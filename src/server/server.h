// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "http/router.h"
#include "io/runtime.h"
#include "model/page.h"
#include "server/platform.h"

namespace penstock::server {

struct ServerOptions {
    PlatformOptions platform;
    std::string store_url;  // empty: SQLite in the state directory
    Version version;
    std::string organisation = "home";  // made at the first start
    std::string organisation_code = "00001";
    Money development_credit;  // granted to it at the first start, by a transfer; zero: none
    telemetry::Logger log;
};

// Secrets that the first start made; they are written to files of mode 0600 and are not kept in
// memory.
struct FirstKeys {
    std::string operator_key;
    std::string user_key;  // consumer and provider
    std::string gateway_key;
};

// One platform node, wired: store, platform, services and routes. Registers its routes with
// `router`; the caller serves them. One executor.
class Server {
  public:
    Server(io::Runtime& runtime, http::Router& router, ServerOptions options);
    ~Server();

    // Opens the store and reads it. At the first start of a state directory it makes the
    // organisation and its keys, in files named below; later starts read those files.
    io::Task<Result<FirstKeys>> start();
    // A site of the first organisation and a key for its agent, once; for `penstock up`.
    io::Task<Result<std::string>> ensure_site(SiteSpec spec);
    // Ends streams and long polls, so that the listener can drain at once; then stop().
    void begin_stop();
    io::Task<void> stop();
    bool failed() const;
    telemetry::Registry& metrics();

    static constexpr std::string_view kOperatorKeyFile = "operator.key";
    static constexpr std::string_view kUserKeyFile = "user.key";
    static constexpr std::string_view kGatewayKeyFile = "gateway.key";

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// The OpenAPI document of all routes, without serving them. Uses an empty store in a temporary
// folder.
Result<std::string> describe_api(
    io::Runtime& runtime, http::Router& router, const Version& version
);

}  // namespace penstock::server
