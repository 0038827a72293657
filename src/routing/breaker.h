// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "model/gateway_status.h"

namespace penstock::routing {

// What became of an attempt, for the breaker.
enum class AttemptOutcome : std::uint8_t {
    answered,   // the engine works, whatever it said
    failed,     // no connection, a gateway or server error, a stream that broke off, silence
    abandoned,  // ended by us or the client before anything could be told
};

constexpr std::size_t kBreakerStates = static_cast<std::size_t>(BreakerState::probing) + 1;

// Leaves an engine alone that fails, or that has become much slower than its load explains. Over a
// sliding window: open when half of at least kAttemptsMin attempts failed, or when the median of
// at least kSlownessMin first tokens came kSlowTimes later than expected. Open for kOpenFirst,
// doubling to kOpenMax while probes fail; then one call at a time may probe. Pure; one owner.
class Breaker {
  public:
    static constexpr Duration kWindow = 30s;
    static constexpr std::size_t kAttemptsMin = 5;
    static constexpr std::size_t kAttemptsKept = 32;
    static constexpr double kErrorShare = 0.5;
    static constexpr std::size_t kSlownessMin = 8;
    static constexpr double kSlowTimes = 4;
    static constexpr Duration kOpenFirst = 2s;
    static constexpr Duration kOpenMax = 60s;

    enum class State : std::uint8_t {
        closed,
        open,
        half_open,  // the next call is a probe
        probing,
    };
    State state(Time now) const;
    bool lets_through(Time now) const {
        const State present = state(now);
        return present == State::closed || present == State::half_open;
    }
    // Only for slowness: such an engine is still better than none.
    bool is_slow() const { return open_ && slow_; }
    Duration opens_in(Time now) const { return open_until_ - now; }
    // All of it, for people.
    BreakerStatus status(Time now) const;

    // A call goes out; answers whether it is the probe.
    bool begin(Time now);
    void end(bool probe, AttemptOutcome outcome, Time now);
    // Time to first token over what the load made one expect.
    void first_token(double slowness, Time now);

  private:
    struct Attempt {
        Time at;
        bool failed = false;
    };
    struct FirstToken {
        Time at;
        double slowness = 1;
    };
    void open(bool slow, Time now);
    void close();

    std::array<Attempt, kAttemptsKept> attempts_{};
    std::size_t attempts_count_ = 0;  // ever since closed
    std::array<FirstToken, kSlownessMin> first_tokens_{};
    std::size_t first_tokens_count_ = 0;
    bool open_ = false;
    bool slow_ = false;
    bool probing_ = false;
    int opened_ = 0;  // times in a row
    Time opened_at_;  // the first time in a row
    Time open_until_;
};

}  // namespace penstock::routing
