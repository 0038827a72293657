// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace penstock::tasks {

// How a service is to grow and shrink.
struct AutoscaleTargets {
    std::int64_t replicas_min = 0;  // 0: nothing runs while nobody calls
    std::int64_t replicas_max = 8;
    std::int64_t spares = 0;         // ready above what the load needs, while anything runs
    Duration first_token{};          // 95th percentile to keep below
    double tokens_per_second = 0;    // prompt and answer, that one replica takes without queueing
    Duration cold_start = 60s;       // from decision to first answer
    Duration shrink_after = 5min;    // how long a smaller number must have sufficed
    Duration to_zero_after = 10min;  // without any call
};
// Names the value that is out of range.
Result<void> check_targets(const AutoscaleTargets& targets);

// What the service saw since the last tick.
struct ServiceLoad {
    std::int64_t calls_arrived = 0;
    std::int64_t tokens_arrived = 0;   // of prompts, and of answers as far as they are known
    std::int64_t calls_in_flight = 0;  // waiting for a replica included
    std::optional<Duration> first_token_p95;
    std::int64_t replicas = 0;  // running and starting
};

struct ScaleDecision {
    std::int64_t replicas = 0;
    enum class Reason : std::uint8_t {
        enough,
        tokens,       // their rate needs so many
        first_token,  // answers come too late
        first_call,   // somebody calls and nothing runs
        idle,
        shrunk,  // fewer have sufficed for long enough
        limits,  // what min or max allow
    } reason = Reason::enough;
    bool operator==(const ScaleDecision&) const = default;
};
std::string_view to_text(ScaleDecision::Reason reason);

// How many replicas a service should have. Grows at once, by the rate of tokens as it will be when
// a replica started now is ready (its trend is extended over the cold start), and by late first
// tokens; shrinks only to what has sufficed for all of shrink_after, since a replica that is
// missed costs a cold start. Pure; one owner, who ticks it at an even pace.
class Autoscaler {
  public:
    explicit Autoscaler(const AutoscaleTargets& targets) : targets_(targets) {}
    ScaleDecision tick(const ServiceLoad& load, Time now);
    // As the last tick saw it, and as it is expected after a cold start.
    double tokens_per_second() const { return rate_; }
    double tokens_per_second_expected() const {
        return rate_ + trend_ * to_seconds(targets_.cold_start);
    }

    static constexpr Duration kSmoothing = 30s;  // of the rate
    static constexpr Duration kTrendOver = 2min;
    static constexpr double kGrowthMax = 2;  // for late first tokens, in one tick

  private:
    void observe(const ServiceLoad& load, Time now);
    ScaleDecision needed(const ServiceLoad& load, Time now) const;

    AutoscaleTargets targets_;
    double rate_ = 0;   // tokens per second
    double trend_ = 0;  // of the rate, per second
    std::optional<Time> last_tick_;
    std::optional<Time> last_call_;
    std::optional<Time> grown_at_;  // for late first tokens
    struct Wanted {
        Time at;
        std::int64_t replicas = 0;
    };
    std::deque<Wanted> wanted_;  // of the last shrink_after; at most kWantedMax
    static constexpr std::size_t kWantedMax = 10'000;
};

}  // namespace penstock::tasks
