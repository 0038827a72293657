// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/time.h"

namespace penstock::relay {

// Which engine is asked next: of two drawn by chance the one with fewer requests in flight. One
// that could not be reached is set aside, twice as long each time; the first answer clears it.
// Engines are numbers from 0; times are monotonic. No clock, no I/O.
class EngineSet {
  public:
    static constexpr std::size_t kEnginesMax = 1024;
    static constexpr Duration kAsideFirst = 1s;
    static constexpr Duration kAsideMax = 30s;

    explicit EngineSet(std::size_t count) : engines_(count) {}

    // Nothing: all are set aside or in `tried`. The chosen one has a request more in flight, until
    // finish().
    std::optional<std::size_t> begin(
        Random& random, Duration now, std::span<const std::size_t> tried
    );
    // It answered, whatever it said.
    void answered(std::size_t engine) { engines_[engine].failures = 0; }
    // It could not be reached, or closed without an answer.
    void failed(std::size_t engine, Duration now);
    void finish(std::size_t engine) { --engines_[engine].in_flight; }

    std::size_t size() const { return engines_.size(); }
    std::int64_t in_flight(std::size_t engine) const { return engines_[engine].in_flight; }
    std::size_t available(Duration now) const;
    // How long until one that is set aside may be asked again; 0 when one may be asked now.
    Duration until_available(Duration now) const;

  private:
    struct Engine {
        std::int64_t in_flight = 0;
        std::int64_t failures = 0;  // one after another
        Duration aside_until{};
    };
    std::vector<Engine> engines_;
};

}  // namespace penstock::relay
