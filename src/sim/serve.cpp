// SPDX-License-Identifier: Apache-2.0
#include "sim/serve.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <queue>

#include "base/check.h"
#include "sim/serve_policy.h"

namespace penstock::sim {
namespace {

// Any instant: only differences matter.
const Time kStart = Time(1'700'000'000s);
constexpr Duration kReportEvery = 1s;  // of an engine's load, as gateways poll it
constexpr Duration kScaleEvery = 5s;

// The nearest rank; the values are reordered.
double quantile(std::vector<double>& values, double share) {
    if (values.empty()) return 0;
    const double rank = std::ceil(share * static_cast<double>(values.size())) - 1;
    const auto at = values.begin() + std::max<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(rank));
    std::ranges::nth_element(values, at);
    return *at;
}

struct Replica {
    std::unique_ptr<Engine> engine;
    enum class State : std::uint8_t { starting, ready, draining, gone } state = State::starting;
    bool stepping = false;
    Time since;
};

struct CallTimes {
    Time arrived;
    Time first_token;
    Time done;
};

struct Event {
    Time at;
    std::uint64_t order = 0;  // of events at one instant: as they were made
    enum class Kind : std::uint8_t { step_end, ready, report, scale } kind = Kind::step_end;
    std::size_t replica = 0;
    bool operator>(const Event& other) const {
        return at != other.at ? at > other.at : order > other.order;
    }
};

class ServeRun {
  public:
    ServeRun(
        std::span<const ServeRequest> trace, const ServeOptions& options, ServePolicy& policy,
        Progress* progress
    )
        : trace_(trace), options_(options), policy_(policy), progress_(progress) {
        calls_.resize(trace.size());
        if (options.autoscale) scaler_.emplace(*options.autoscale);
    }

    ServeResult run() {
        // A fleet that scales starts with what it never goes below.
        const std::size_t first = scaler_
                                      ? static_cast<std::size_t>(options_.autoscale->replicas_min)
                                      : options_.replicas;
        for (std::size_t i = 0; i < first; ++i) {
            const std::size_t replica = start_replica(kStart);
            replicas_[replica].state = Replica::State::ready;
        }
        tell_policy();
        push(kStart + kReportEvery, Event::Kind::report, 0);
        if (scaler_) push(kStart + kScaleEvery, Event::Kind::scale, 0);
        while (done_ < trace_.size()) {
            const bool arrives =
                next_ < trace_.size() && (events_.empty() || arrival(next_) <= events_.top().at);
            if (arrives) {
                arrive(next_++);
                continue;
            }
            const Event event = events_.top();
            events_.pop();
            now_ = event.at;
            handle(event);
        }
        return result();
    }

  private:
    Time arrival(std::size_t call) const {
        const double span = static_cast<double>(trace_[call].at.count()) / options_.rate;
        return kStart + Duration(std::llround(span));
    }

    void push(Time at, Event::Kind kind, std::size_t replica) {
        events_.push({at, order_++, kind, replica});
    }

    // ---- calls ----

    void arrive(std::size_t call) {
        now_ = arrival(call);
        calls_[call].arrived = now_;
        load_.calls_arrived += 1;
        load_.tokens_arrived += trace_[call].input_tokens;
        if (ready_ == 0)
            waiting_.push_back(call);
        else
            dispatch(call);
        if (progress_ != nullptr) progress_->done(call);
    }

    void dispatch(std::size_t call) {
        note_imbalance();
        const std::size_t chosen = policy_.choose(call, trace_[call], now_);
        Replica& replica = replicas_[chosen];
        CHECK(replica.state == Replica::State::ready, "a policy chooses among its replicas");
        replica.engine->submit(call, trace_[call]);
        step(chosen);
    }

    void note_imbalance() {
        std::size_t most = 0;
        std::size_t sum = 0;
        for (const Replica& replica : replicas_) {
            if (replica.state != Replica::State::ready) continue;
            most = std::max(most, replica.engine->calls());
            sum += replica.engine->calls();
        }
        if (sum == 0) return;
        imbalance_ += static_cast<double>(most * ready_) / static_cast<double>(sum);
        ++imbalances_;
    }

    void step(std::size_t index) {
        Replica& replica = replicas_[index];
        if (replica.stepping || replica.engine->idle()) return;
        replica.stepping = true;
        push(now_ + replica.engine->begin_step(), Event::Kind::step_end, index);
    }

    void end_step(std::size_t index) {
        replicas_[index].stepping = false;
        for (const Engine::Event& event : replicas_[index].engine->end_step()) {
            CallTimes& call = calls_[event.call];
            switch (event.kind) {
                case Engine::Event::Kind::first_token:
                    call.first_token = now_;
                    first_tokens_.push_back(to_seconds(now_ - call.arrived));
                    policy_.first_token(event.call, now_);
                    break;
                case Engine::Event::Kind::done:
                    call.done = now_;
                    ++done_;
                    load_.tokens_arrived += trace_[event.call].output_tokens;
                    policy_.done(event.call, now_);
                    break;
            }
        }
        step(index);
        Replica& replica = replicas_[index];
        if (replica.state == Replica::State::draining && replica.engine->idle()) stop(replica);
    }

    // ---- replicas ----

    std::size_t start_replica(Time at) {
        const std::size_t index = replicas_.size();
        Replica replica{.since = at};
        replica.engine = std::make_unique<Engine>(
            options_.engine, EngineCache::Listener{
                                 .stored = [this, index](routing::BlockHash block
                                           ) { policy_.stored(index, block, now_); },
                                 .removed = [this, index](routing::BlockHash block
                                            ) { policy_.removed(index, block); }
                             }
        );
        replicas_.push_back(std::move(replica));
        return index;
    }

    void stop(Replica& replica) {
        prompt_tokens_ += replica.engine->prompt_tokens();
        cached_tokens_ += replica.engine->cached_tokens();
        replica_time_ += now_ - replica.since;
        replica.state = Replica::State::gone;
        replica.engine.reset();
    }

    void tell_policy() {
        std::vector<std::size_t> ready;
        for (std::size_t i = 0; i < replicas_.size(); ++i)
            if (replicas_[i].state == Replica::State::ready) ready.push_back(i);
        ready_ = ready.size();
        most_ = std::max(most_, ready_);
        if (!ready.empty()) policy_.set_replicas(ready);
    }

    void handle(const Event& event) {
        switch (event.kind) {
            case Event::Kind::step_end:
                return end_step(event.replica);
            case Event::Kind::ready:
                return become_ready(event.replica);
            case Event::Kind::report:
                return report();
            case Event::Kind::scale:
                return scale();
        }
    }

    void become_ready(std::size_t index) {
        if (replicas_[index].state != Replica::State::starting) return;  // given up meanwhile
        replicas_[index].state = Replica::State::ready;
        tell_policy();
        std::vector<std::size_t> waiting = std::move(waiting_);
        waiting_.clear();
        for (const std::size_t call : waiting) dispatch(call);
    }

    void report() {
        for (std::size_t i = 0; i < replicas_.size(); ++i)
            if (const Replica& replica = replicas_[i]; replica.state == Replica::State::ready)
                policy_.load(
                    i, replica.engine->cache_used_share(), replica.engine->calls_waiting(), now_
                );
        push(now_ + kReportEvery, Event::Kind::report, 0);
    }

    void scale() {
        std::int64_t present = 0;
        for (const Replica& replica : replicas_)
            present +=
                replica.state == Replica::State::starting || replica.state == Replica::State::ready;
        load_.replicas = present;
        load_.calls_in_flight = static_cast<std::int64_t>(next_ - done_);
        if (!first_tokens_.empty())
            load_.first_token_p95 = Duration(std::llround(quantile(first_tokens_, 0.95) * 1e6));
        const tasks::ScaleDecision decision = scaler_->tick(load_, now_);
        load_ = {};
        first_tokens_.clear();
        for (; present < decision.replicas; ++present) {
            const std::size_t replica = start_replica(now_);
            ++cold_starts_;
            push(now_ + options_.autoscale->cold_start, Event::Kind::ready, replica);
        }
        shrink(present - decision.replicas);
        push(now_ + kScaleEvery, Event::Kind::scale, 0);
    }

    // Those that are still starting first, then the newest.
    void shrink(std::int64_t count) {
        for (const auto state : {Replica::State::starting, Replica::State::ready})
            for (std::size_t i = replicas_.size(); i-- > 0 && count > 0;) {
                Replica& replica = replicas_[i];
                if (replica.state != state) continue;
                replica.state = Replica::State::draining;
                if (replica.engine->idle()) stop(replica);
                --count;
            }
        tell_policy();
    }

    // ---- result ----

    ServeResult result() {
        for (Replica& replica : replicas_)
            if (replica.state != Replica::State::gone) stop(replica);
        std::vector<double> first_token_ms;
        std::vector<double> gap_ms;
        std::size_t attained = 0;
        for (std::size_t i = 0; i < trace_.size(); ++i) {
            const CallTimes& call = calls_[i];
            const Duration first = call.first_token - call.arrived;
            const std::int64_t gaps = trace_[i].output_tokens - 1;
            const double gap =
                gaps > 0 ? to_seconds(call.done - call.first_token) / static_cast<double>(gaps) : 0;
            first_token_ms.push_back(to_seconds(first) * 1000);
            if (gaps > 0) gap_ms.push_back(gap * 1000);
            attained +=
                first <= options_.first_token_max && gap <= to_seconds(options_.token_gap_max);
        }
        constexpr double kSecondsPerHour = 3600;
        const double span = std::max(1e-6, to_seconds(now_ - kStart));
        return {
            .calls = trace_.size(),
            .cache_hit_share = prompt_tokens_ > 0 ? static_cast<double>(cached_tokens_) /
                                                        static_cast<double>(prompt_tokens_)
                                                  : 0,
            .first_token_ms_p50 = quantile(first_token_ms, 0.5),
            .first_token_ms_p99 = quantile(first_token_ms, 0.99),
            .token_gap_ms_p50 = quantile(gap_ms, 0.5),
            .token_gap_ms_p99 = quantile(gap_ms, 0.99),
            .attained_share = static_cast<double>(attained) / static_cast<double>(trace_.size()),
            .goodput_per_second = static_cast<double>(attained) / span,
            .imbalance = imbalances_ > 0 ? imbalance_ / static_cast<double>(imbalances_) : 1,
            .replica_hours = to_seconds(replica_time_) / kSecondsPerHour,
            .replicas_most = most_,
            .cold_starts = cold_starts_,
        };
    }

    std::span<const ServeRequest> trace_;
    const ServeOptions& options_;
    ServePolicy& policy_;
    Progress* progress_;
    std::optional<tasks::Autoscaler> scaler_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::uint64_t order_ = 0;
    Time now_ = kStart;
    std::vector<Replica> replicas_;
    std::vector<CallTimes> calls_;
    std::vector<std::size_t> waiting_;  // for a first replica
    std::size_t next_ = 0;              // to arrive
    std::size_t done_ = 0;
    std::size_t ready_ = 0;
    std::size_t most_ = 0;
    std::int64_t cold_starts_ = 0;
    tasks::ServiceLoad load_;           // since the last tick
    std::vector<double> first_tokens_;  // since the last tick, in seconds
    Duration replica_time_{};
    std::int64_t prompt_tokens_ = 0;
    std::int64_t cached_tokens_ = 0;
    double imbalance_ = 0;
    std::size_t imbalances_ = 0;
};

Result<void> check_options(std::span<const ServeRequest> trace, const ServeOptions& options) {
    const auto bad = [](std::string field, std::string what) {
        return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(what));
    };
    TRY(check_engine(options.engine));
    if (!(options.rate > 0) || options.rate > kServeRateMax)
        return bad("rates", "expected more than 0, at most " + std::to_string(kServeRateMax));
    if (options.replicas < 1 || options.replicas > kServeReplicasMax)
        return bad("replicas", "expected 1 to " + std::to_string(kServeReplicasMax));
    if (options.autoscale) TRY(tasks::check_targets(*options.autoscale));
    for (std::size_t i = 0; i < trace.size(); ++i) {
        const std::int64_t context = trace[i].input_tokens + trace[i].output_tokens;
        if (context + routing::kBlockTokens > options.engine.cache_tokens)
            return bad(
                "cache-tokens", "request " + std::to_string(i + 1) + " of the trace has " +
                                    std::to_string(context) + " tokens and fits no engine"
            );
    }
    return {};
}

}  // namespace

Result<ServeResult> run_serve(
    std::span<const ServeRequest> trace, const ServeOptions& options, Progress* progress
) {
    TRY(check_options(trace, options));
    SeededRandom random(options.seed);
    const std::unique_ptr<ServePolicy> policy = TRY(make_serve_policy(options.policy, random));
    return ServeRun(trace, options, *policy, progress).run();
}

}  // namespace penstock::sim
