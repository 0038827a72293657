// SPDX-License-Identifier: Apache-2.0
#include "sim/serve.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <queue>

#include "base/check.h"
#include "sim/caller_book.h"
#include "sim/replica_placer.h"
#include "sim/serve_policy.h"

namespace penstock::sim {
namespace {

// Any instant: only differences matter.
const Time kStart = Time(1'700'000'000s);
constexpr Duration kReportEvery = 1s;  // of an engine's load, as gateways poll it
constexpr Duration kScaleEvery = 5s;

struct Replica {
    std::unique_ptr<Engine> engine;
    enum class State : std::uint8_t { starting, ready, draining, gone } state = State::starting;
    bool stepping = false;
    std::size_t coming = 0;  // calls on their way to it
    Time since;
    ReplicaPlacer::Place place;
    bool idle() const { return coming == 0 && engine->idle(); }
};

struct Call {
    std::size_t replica = 0;
    Duration half_trip{};  // between its region and its replica
};

struct Event {
    Time at;
    std::uint64_t order = 0;  // of events at one instant: as they were made
    enum class Kind : std::uint8_t {
        step_end,
        ready,
        deliver,  // a call reaches its replica
        seen_first_token,
        seen_done,
        report,
        scale
    } kind = Kind::step_end;
    std::size_t subject = 0;  // a replica, or a call
    bool operator>(const Event& other) const {
        return at != other.at ? at > other.at : order > other.order;
    }
};

// What a run is made of.
struct Parts {
    std::span<const ServeRequest> trace;
    const ServeOptions& options;
    std::vector<std::unique_ptr<ServePolicy>> routers;  // one a region
    std::unique_ptr<ReplicaPlacer> placer;              // none without sites
    Progress* progress = nullptr;
};

class ServeRun {
  public:
    explicit ServeRun(Parts parts)
        : trace_(parts.trace),
          options_(parts.options),
          routers_(std::move(parts.routers)),
          placer_(std::move(parts.placer)),
          progress_(parts.progress),
          times_(trace_.size()),
          calls_(trace_.size()) {
        if (options_.autoscale) scaler_.emplace(*options_.autoscale);
        if (options_.sites == nullptr) return;
        callers_.emplace(*options_.sites, kStart);
        const auto regions = regions_of_calls(*options_.sites, trace_.size(), options_.seed);
        for (std::size_t i = 0; i < regions.size(); ++i) times_[i].region = regions[i];
        site_time_.resize(options_.sites->sites.size());
        site_most_.resize(options_.sites->sites.size());
    }

    Result<ServeResult> run() {
        TRY(start_first());
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

    void push(Time at, Event::Kind kind, std::size_t subject) {
        events_.push({at, order_++, kind, subject});
    }
    // At once where nothing lies between: events of one instant keep their order.
    void push_after(Duration span, Event::Kind kind, std::size_t subject) {
        if (span > Duration::zero())
            push(now_ + span, kind, subject);
        else
            handle({now_, 0, kind, subject});
    }

    // ---- calls ----

    void arrive(std::size_t call) {
        now_ = arrival(call);
        times_[call].arrived = now_;
        load_.calls_arrived += 1;
        load_.tokens_arrived += trace_[call].input_tokens;
        if (callers_) callers_->arrived(times_[call].region);
        if (ready_ == 0)
            waiting_.push_back(call);
        else
            dispatch(call);
        if (progress_ != nullptr) progress_->done(call);
    }

    void dispatch(std::size_t call) {
        note_imbalance();
        const std::size_t region = times_[call].region;
        const std::size_t chosen = routers_[region]->choose(call, trace_[call], now_);
        Replica& replica = replicas_[chosen];
        CHECK(replica.state == Replica::State::ready, "a policy chooses among its replicas");
        times_[call].site = replica.place.site;
        calls_[call] = {chosen, half_trip(region, replica.place.site)};
        ++replica.coming;
        push_after(calls_[call].half_trip, Event::Kind::deliver, call);
    }

    void deliver(std::size_t call) {
        Replica& replica = replicas_[calls_[call].replica];
        --replica.coming;
        replica.engine->submit(call, trace_[call]);
        step(calls_[call].replica);
    }

    Duration half_trip(std::size_t region, std::size_t site) const {
        return options_.sites ? options_.sites->round_trip(region, site) / 2 : Duration::zero();
    }

    void note_imbalance() {
        std::size_t most = 0;
        std::size_t sum = 0;
        for (const Replica& replica : replicas_) {
            if (replica.state != Replica::State::ready) continue;
            const std::size_t calls = replica.engine->calls() + replica.coming;
            most = std::max(most, calls);
            sum += calls;
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
        for (const Engine::Event& event : replicas_[index].engine->end_step())
            push_after(
                calls_[event.call].half_trip,
                event.kind == Engine::Event::Kind::done ? Event::Kind::seen_done
                                                        : Event::Kind::seen_first_token,
                event.call
            );
        step(index);
        Replica& replica = replicas_[index];
        if (replica.state == Replica::State::draining && replica.idle()) stop(replica);
    }

    void see_first_token(std::size_t call) {
        times_[call].first_token = now_;
        first_tokens_.push_back(to_seconds(now_ - times_[call].arrived));
        routers_[times_[call].region]->first_token(call, now_);
    }

    void see_done(std::size_t call) {
        times_[call].done = now_;
        ++done_;
        load_.tokens_arrived += trace_[call].output_tokens;
        if (const std::int64_t gaps = trace_[call].output_tokens - 1; gaps > 0)
            token_gaps_.push_back(
                to_seconds(now_ - times_[call].first_token) / static_cast<double>(gaps)
            );
        if (callers_) callers_->done(times_[call].region);
        routers_[times_[call].region]->done(call, now_);
    }

    // ---- replicas ----

    // A fleet that scales starts with what it never goes below.
    Result<void> start_first() {
        const std::size_t first = scaler_
                                      ? static_cast<std::size_t>(options_.autoscale->replicas_min)
                                      : options_.replicas;
        for (std::size_t i = 0; i < first; ++i) {
            const std::optional<std::size_t> replica = start_replica();
            if (!replica)
                return fail_field(
                    ErrorCode::invalid_argument, "replicas",
                    std::to_string(first) + " are to stand, and the sites have room for " +
                        std::to_string(i) + ": see the column engines"
                );
            replicas_[*replica].state = Replica::State::ready;
        }
        tell_routers();
        return {};
    }

    // Nothing: no site has room.
    std::optional<std::size_t> start_replica() {
        const std::size_t index = replicas_.size();
        Replica replica{.since = now_};
        if (placer_) {
            std::vector<std::size_t> taken;
            for (const Replica& each : replicas_)
                if (each.state != Replica::State::gone) taken.push_back(each.place.site);
            const auto place = placer_->place(taken, callers_->shares(now_), now_);
            if (!place) return std::nullopt;
            replica.place = *place;
        }
        replica.engine = std::make_unique<Engine>(
            options_.engine, EngineCache::Listener{
                                 .stored =
                                     [this, index](routing::BlockHash block) {
                                         for (const auto& router : routers_)
                                             router->stored(index, block, now_);
                                     },
                                 .removed =
                                     [this, index](routing::BlockHash block) {
                                         for (const auto& router : routers_)
                                             router->removed(index, block);
                                     }
                             }
        );
        replicas_.push_back(std::move(replica));
        return index;
    }

    void stop(Replica& replica) {
        prompt_tokens_ += replica.engine->prompt_tokens();
        cached_tokens_ += replica.engine->cached_tokens();
        replica_time_ += now_ - replica.since;
        if (placer_) site_time_[replica.place.site] += now_ - replica.since;
        replica.state = Replica::State::gone;
        replica.engine.reset();
    }

    void tell_routers() {
        std::vector<std::size_t> ready;
        std::vector<std::size_t> at_site(site_most_.size());
        for (std::size_t i = 0; i < replicas_.size(); ++i) {
            if (replicas_[i].state != Replica::State::ready) continue;
            ready.push_back(i);
            if (placer_) ++at_site[replicas_[i].place.site];
        }
        for (std::size_t i = 0; i < at_site.size(); ++i)
            site_most_[i] = std::max(site_most_[i], at_site[i]);
        ready_ = ready.size();
        most_ = std::max(most_, ready_);
        if (ready.empty()) return;
        for (std::size_t region = 0; region < routers_.size(); ++region) {
            std::vector<ServePolicy::Replica> seen;
            for (const std::size_t i : ready)
                seen.push_back({i, 2e3 * to_seconds(half_trip(region, replicas_[i].place.site))});
            routers_[region]->set_replicas(seen);
        }
    }

    void handle(const Event& event) {
        switch (event.kind) {
            case Event::Kind::step_end:
                return end_step(event.subject);
            case Event::Kind::ready:
                return become_ready(event.subject);
            case Event::Kind::deliver:
                return deliver(event.subject);
            case Event::Kind::seen_first_token:
                return see_first_token(event.subject);
            case Event::Kind::seen_done:
                return see_done(event.subject);
            case Event::Kind::report:
                return report();
            case Event::Kind::scale:
                return scale();
        }
    }

    void become_ready(std::size_t index) {
        if (replicas_[index].state != Replica::State::starting) return;  // given up meanwhile
        replicas_[index].state = Replica::State::ready;
        tell_routers();
        std::vector<std::size_t> waiting = std::move(waiting_);
        waiting_.clear();
        for (const std::size_t call : waiting) dispatch(call);
    }

    void report() {
        if (callers_) callers_->report(now_);
        for (std::size_t i = 0; i < replicas_.size(); ++i)
            if (const Replica& replica = replicas_[i]; replica.state == Replica::State::ready)
                for (const auto& router : routers_)
                    router->load(
                        i, replica.engine->cache_used_share(), replica.engine->calls_waiting(), now_
                    );
        push(now_ + kReportEvery, Event::Kind::report, 0);
    }

    // ---- scaling ----

    void scale() {
        std::int64_t present = 0;
        for (const Replica& replica : replicas_)
            present +=
                replica.state == Replica::State::starting || replica.state == Replica::State::ready;
        load_.replicas = present;
        load_.calls_in_flight = static_cast<std::int64_t>(next_ - done_);
        load_.first_token_p95 = percentile_95(first_tokens_);
        load_.token_gap_p95 = percentile_95(token_gaps_);
        const tasks::ScaleDecision decision = scaler_->tick(load_, now_);
        load_ = {};
        first_tokens_.clear();
        token_gaps_.clear();
        for (; present < decision.replicas; ++present) {
            const std::optional<std::size_t> replica = start_replica();
            if (!replica) break;  // it waits for room; asked again at the next look
            ++cold_starts_;
            push(now_ + options_.autoscale->cold_start, Event::Kind::ready, *replica);
        }
        shrink(present - decision.replicas);
        push(now_ + kScaleEvery, Event::Kind::scale, 0);
    }

    static std::optional<Duration> percentile_95(std::vector<double>& seconds) {
        if (seconds.empty()) return std::nullopt;
        return Duration(std::llround(nearest_rank(seconds, 0.95) * 1e6));
    }

    // In the order in which the server's replicas leave.
    void shrink(std::int64_t count) {
        std::vector<tasks::ReplicaStanding> standing;
        using Stage = tasks::ReplicaStanding::Stage;
        for (std::size_t i = 0; i < replicas_.size(); ++i) {
            const Replica& replica = replicas_[i];
            const bool starts = replica.state == Replica::State::starting;
            if (!starts && replica.state != Replica::State::ready) continue;
            standing.push_back(
                {.item = static_cast<std::int64_t>(i),
                 .stage = starts ? Stage::starting : Stage::ready,
                 .price_per_hour = replica.place.price_per_hour,
                 .latency_ms = replica.place.latency_ms,
                 .since = replica.since}
            );
        }
        std::ranges::sort(standing, tasks::before_in_leaving);
        for (std::int64_t i = 0; i < count; ++i) {
            Replica& replica =
                replicas_[static_cast<std::size_t>(standing[static_cast<std::size_t>(i)].item)];
            replica.state = Replica::State::draining;
            if (replica.idle()) stop(replica);
        }
        tell_routers();
    }

    // ---- result ----

    ServeResult result() {
        for (Replica& replica : replicas_)
            if (replica.state != Replica::State::gone) stop(replica);
        ServeResult result = summary_of(
            trace_, times_, options_.sites, {options_.first_token_max, options_.token_gap_max}
        );
        constexpr double kSecondsPerHour = 3600;
        if (prompt_tokens_ > 0)
            result.cache_hit_share =
                static_cast<double>(cached_tokens_) / static_cast<double>(prompt_tokens_);
        if (imbalances_ > 0) result.imbalance = imbalance_ / static_cast<double>(imbalances_);
        result.replica_hours = to_seconds(replica_time_) / kSecondsPerHour;
        result.replicas_most = most_;
        result.cold_starts = cold_starts_;
        for (std::size_t i = 0; i < result.sites.size(); ++i) {
            result.sites[i].replicas_most = site_most_[i];
            result.sites[i].replica_hours = to_seconds(site_time_[i]) / kSecondsPerHour;
        }
        return result;
    }

    std::span<const ServeRequest> trace_;
    const ServeOptions& options_;
    std::vector<std::unique_ptr<ServePolicy>> routers_;
    std::unique_ptr<ReplicaPlacer> placer_;
    Progress* progress_;
    std::optional<tasks::Autoscaler> scaler_;
    std::optional<CallerBook> callers_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::uint64_t order_ = 0;
    Time now_ = kStart;
    std::vector<Replica> replicas_;
    std::vector<CallTimes> times_;  // beside the trace, as the next
    std::vector<Call> calls_;
    std::vector<std::size_t> waiting_;  // for a first replica
    std::size_t next_ = 0;              // to arrive
    std::size_t done_ = 0;
    std::size_t ready_ = 0;
    std::size_t most_ = 0;
    std::int64_t cold_starts_ = 0;
    tasks::ServiceLoad load_;           // since the last tick
    std::vector<double> first_tokens_;  // as well, in seconds
    std::vector<double> token_gaps_;
    Duration replica_time_{};
    std::vector<Duration> site_time_;  // the same by site
    std::vector<std::size_t> site_most_;
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
    Parts parts{.trace = trace, .options = options, .progress = progress};
    if (options.sites != nullptr)
        parts.placer =
            TRY(make_replica_placer(options.placement, *options.sites, options.strategy, random));
    const std::size_t regions = options.sites != nullptr ? options.sites->callers.size() : 1;
    for (std::size_t i = 0; i < regions; ++i)
        parts.routers.push_back(TRY(make_serve_policy(options.policy, random)));
    return ServeRun(std::move(parts)).run();
}

}  // namespace penstock::sim
