// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "http/router.h"
#include "io/runtime.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace penstock::relay {

struct RelayOptions {
    std::vector<std::string> engines;  // "http://10.0.0.7:8000", with a path where they have one
    std::string key;                   // callers show it; empty: whoever reaches the address may
    std::string engine_key;            // engines are shown it; empty: none
    std::size_t calls_max = 20'000;    // in flight at one time; above: 503
    Duration answer_timeout = 10min;   // up to the header of an engine's answer
    Duration read_timeout = 10min;     // without a byte of its body
};

// Passes requests for inference to the engines of a site; see README.md. The Runtime's thread.
class Relay {
  public:
    static constexpr int kTriesMax = 3;  // engines that one request is sent to
    static constexpr std::size_t kBodyMax = 256UL * 1024 * 1024;
    // Longer bodies, and those of unknown length, are passed on as they come, to one engine.
    static constexpr std::size_t kBodyKeptMax = 4UL * 1024 * 1024;
    static constexpr std::size_t kKeyBytesMin = 16;

    struct Parts {
        io::Runtime& runtime;
        const Clock& clock;
        Random& random;
        telemetry::Logger log;
        telemetry::Registry& metrics;
    };
    // invalid_argument names the option: no engines or too many, a URL that is none, a short key.
    static Result<std::unique_ptr<Relay>> open(RelayOptions options, Parts parts);
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    void add_routes(http::Router& router);
    // An engine may be asked now.
    bool ready() const;

    struct State;

  private:
    explicit Relay(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace penstock::relay
