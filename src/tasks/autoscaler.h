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
    std::int64_t spares = 0;  // ready above what the load needs, while anything runs
    // What one replica takes without queueing; 0: no target, but one of the three there must be.
    double tokens_per_second = 0;  // of prompts and answers
    double calls_per_second = 0;
    double calls_in_flight = 0;
    // What calls are to see; 0: no target.
    Duration first_token{};          // 95th percentile to keep below
    Duration token_gap{};            // the same of the mean span between a stream's tokens
    Duration cold_start = 60s;       // from decision to first answer
    Duration averaged_over = 30s;    // the rates; their trend over kTrendTimes as long
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
    std::optional<Duration> token_gap_p95;
    std::int64_t replicas = 0;  // running and starting
};

struct ScaleDecision {
    std::int64_t replicas = 0;
    enum class Reason : std::uint8_t {
        enough,
        tokens,       // their rate needs so many
        calls,        // as above
        in_flight,    // so many calls at one time need so many
        first_token,  // answers come too late
        speed,        // they come too slowly
        first_call,   // somebody calls and nothing runs
        idle,
        shrunk,  // fewer have sufficed for long enough
        limits,  // what min or max allow
        lines,   // of batches near their end, in idle capacity; ServiceScaler alone says it
    } reason = Reason::enough;
    bool operator==(const ScaleDecision&) const = default;
};
std::string_view to_text(ScaleDecision::Reason reason);  // for people: "late first tokens"
std::string_view word_of(ScaleDecision::Reason reason);  // stable: "first_token"

// How many replicas a service should have. Grows at once, by the rates of tokens and calls as they
// will be when a replica started now is ready (their trend is extended over the cold start), by the
// calls in flight, and by late first tokens and slow streams; shrinks only to what has sufficed for
// all of shrink_after, since a replica that is missed costs a cold start. Pure; one owner, who
// ticks it at an even pace.
class Autoscaler {
  public:
    explicit Autoscaler(const AutoscaleTargets& targets) : targets_(targets) {}
    // Its owner was away, and `replicas` run: as if they had been called and needed just now, so
    // that nothing shrinks before what is true is known again.
    void resume(std::int64_t replicas, Time now);
    ScaleDecision tick(const ServiceLoad& load, Time now);
    // As the last tick saw it, and as it is expected after a cold start.
    double tokens_per_second() const { return tokens_.mean; }
    double tokens_per_second_expected() const { return tokens_.expected(targets_.cold_start); }
    double calls_per_second() const { return calls_.mean; }

    static constexpr double kTrendTimes = 4;
    static constexpr double kGrowthMax = 2;  // for what calls see, in one tick

  private:
    // An exponential mean, and how fast that mean moves.
    struct Rate {
        double mean = 0;   // per second
        double trend = 0;  // of the mean, per second
        void observe(double arrived, double span, double averaged_over);
        double expected(Duration ahead) const { return mean + trend * to_seconds(ahead); }
    };
    void observe(const ServiceLoad& load, Time now);
    ScaleDecision needed(const ServiceLoad& load, Time now) const;
    ScaleDecision needed_for_load(const ServiceLoad& load) const;
    void grow_for_calls(ScaleDecision& decision, const ServiceLoad& load, Time now) const;

    AutoscaleTargets targets_;
    Rate tokens_;
    Rate calls_;
    std::optional<Time> last_tick_;
    std::optional<Time> last_call_;
    std::optional<Time> grown_at_;  // for what calls see
    struct Wanted {
        Time at;
        std::int64_t replicas = 0;
    };
    std::deque<Wanted> wanted_;  // of the last shrink_after; at most kWantedMax
    static constexpr std::size_t kWantedMax = 10'000;
};

}  // namespace penstock::tasks
