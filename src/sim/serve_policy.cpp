// SPDX-License-Identifier: Apache-2.0
#include "sim/serve_policy.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "base/check.h"
#include "routing/endpoint_pool.h"
#include "routing/prefix_index.h"

namespace penstock::sim {

void ServePolicy::stored(std::size_t, routing::BlockHash, Time) {}
void ServePolicy::removed(std::size_t, routing::BlockHash) {}
void ServePolicy::load(std::size_t, double, std::size_t, Time) {}

namespace {

using routing::kBlockTokens;

// Counts calls in flight, from choice to last byte, as every router does.
class CountingPolicy : public ServePolicy {
  public:
    explicit CountingPolicy(Random& random) : random_(random) {}

    void set_replicas(const std::vector<Replica>& replicas) override {
        CHECK(!replicas.empty(), "calls have to go somewhere");
        replicas_.clear();
        for (const Replica& replica : replicas) replicas_.push_back(replica.index);
        const std::size_t size = *std::ranges::max_element(replicas_) + 1;
        if (in_flight_.size() < size) in_flight_.resize(size);
    }
    std::size_t choose(std::size_t call, const ServeRequest& request, Time now) override {
        const std::size_t chosen = pick(request, now);
        ++in_flight_[chosen];
        where_[call] = chosen;
        chosen_for(call, chosen, request, now);
        return chosen;
    }
    void first_token(std::size_t, Time) override {}
    void done(std::size_t call, Time) override {
        const auto found = where_.find(call);
        --in_flight_[found->second];
        where_.erase(found);
    }

  protected:
    virtual std::size_t pick(const ServeRequest& request, Time now) = 0;
    virtual void chosen_for(std::size_t, std::size_t, const ServeRequest&, Time) {}

    // The replica of least cost; equal ones by chance.
    template <class Cost>
    std::size_t least(Cost cost) {
        double best = std::numeric_limits<double>::infinity();
        std::vector<std::size_t> equal;
        for (const std::size_t replica : replicas_) {
            const double value = cost(replica);
            if (value > best) continue;
            if (value < best) equal.clear();
            best = value;
            equal.push_back(replica);
        }
        return equal[random_.below(equal.size())];
    }
    std::size_t least_loaded() {
        return least([&](std::size_t replica) { return static_cast<double>(in_flight_[replica]); });
    }

    Random& random_;
    std::vector<std::size_t> replicas_;
    std::vector<std::int64_t> in_flight_;
    std::unordered_map<std::size_t, std::size_t> where_;  // of calls in flight
};

class RoundRobin final : public CountingPolicy {
  public:
    using CountingPolicy::CountingPolicy;

  protected:
    std::size_t pick(const ServeRequest&, Time) override {
        return replicas_[next_++ % replicas_.size()];
    }

  private:
    std::size_t next_ = 0;
};

class LeastLoaded final : public CountingPolicy {
  public:
    using CountingPolicy::CountingPolicy;

  protected:
    std::size_t pick(const ServeRequest&, Time) override { return least_loaded(); }
};

class TwoChoices final : public CountingPolicy {
  public:
    using CountingPolicy::CountingPolicy;

  protected:
    std::size_t pick(const ServeRequest&, Time) override {
        const std::size_t size = replicas_.size();
        const std::size_t first = random_.below(size);
        if (size == 1) return replicas_[first];
        const std::size_t second = (first + 1 + random_.below(size - 1)) % size;
        const bool other = in_flight_[replicas_[second]] < in_flight_[replicas_[first]];
        return replicas_[other ? second : first];
    }
};

// Its tree keeps what was sent where until its size is exceeded; nothing in it ages.
class SglangRule final : public CountingPolicy {
  public:
    static constexpr double kMatchShareMin = 0.3;
    static constexpr std::int64_t kUnevenCalls = 64;
    static constexpr double kUnevenTimes = 1.5;
    using CountingPolicy::CountingPolicy;

  protected:
    std::size_t pick(const ServeRequest& request, Time now) override {
        std::int64_t least_calls = std::numeric_limits<std::int64_t>::max();
        std::int64_t most_calls = 0;
        for (const std::size_t replica : replicas_) {
            least_calls = std::min(least_calls, in_flight_[replica]);
            most_calls = std::max(most_calls, in_flight_[replica]);
        }
        const bool uneven =
            most_calls - least_calls > kUnevenCalls &&
            static_cast<double>(most_calls) > kUnevenTimes * static_cast<double>(least_calls);
        if (uneven) return least_loaded();
        std::vector<std::size_t> matched(in_flight_.size());
        std::size_t longest = 0;
        for (const auto& match : tree_.match(request.prompt, now)) {
            if (std::ranges::find(replicas_, match.backend) == replicas_.end()) continue;
            matched[match.backend] = match.blocks;
            longest = std::max(longest, match.blocks);
        }
        const auto tokens = static_cast<double>(longest) * static_cast<double>(kBlockTokens);
        if (tokens <= kMatchShareMin * static_cast<double>(request.input_tokens))
            return least_loaded();
        return least([&](std::size_t replica) {
            return matched[replica] == longest ? static_cast<double>(in_flight_[replica])
                                               : std::numeric_limits<double>::infinity();
        });
    }
    void chosen_for(std::size_t, std::size_t chosen, const ServeRequest& request, Time now)
        override {
        tree_.sent(static_cast<std::uint32_t>(chosen), request.prompt, now);
    }

  private:
    routing::PrefixIndex tree_{routing::PrefixIndex::kBytesMax, kServeSpanMax};
};

class DynamoRule final : public CountingPolicy {
  public:
    static constexpr double kOverlapWeight = 1;
    using CountingPolicy::CountingPolicy;

    void first_token(std::size_t call, Time) override {
        Load& load = loads_.at(call);
        prefill_tokens_[where_.at(call)] -= load.prefill_tokens;
        load.prefill_tokens = 0;
    }
    void done(std::size_t call, Time now) override {
        context_tokens_[where_.at(call)] -= loads_.at(call).context_tokens;
        loads_.erase(call);
        CountingPolicy::done(call, now);
    }
    void stored(std::size_t replica, routing::BlockHash block, Time now) override {
        index_.stored(static_cast<std::uint32_t>(replica), block, now);
    }
    void removed(std::size_t replica, routing::BlockHash block) override {
        index_.removed(static_cast<std::uint32_t>(replica), block);
    }

  protected:
    std::size_t pick(const ServeRequest& request, Time now) override {
        prefill_tokens_.resize(in_flight_.size());
        context_tokens_.resize(in_flight_.size());
        matched_.assign(in_flight_.size(), 0);
        for (const auto& match : index_.match(request.prompt, now))
            if (match.backend < matched_.size())
                matched_[match.backend] = static_cast<std::int64_t>(match.blocks) * kBlockTokens;
        return least([&](std::size_t replica) {
            const std::int64_t prefill =
                prefill_tokens_[replica] + request.input_tokens - matched_[replica];
            const std::int64_t context = context_tokens_[replica] + request.input_tokens;
            return (kOverlapWeight * static_cast<double>(prefill) + static_cast<double>(context)) /
                   static_cast<double>(kBlockTokens);
        });
    }
    void chosen_for(std::size_t call, std::size_t chosen, const ServeRequest& request, Time)
        override {
        const Load load{request.input_tokens - matched_[chosen], request.input_tokens};
        prefill_tokens_[chosen] += load.prefill_tokens;
        context_tokens_[chosen] += load.context_tokens;
        loads_[call] = load;
    }

  private:
    struct Load {
        std::int64_t prefill_tokens = 0;
        std::int64_t context_tokens = 0;
    };
    std::unordered_map<std::size_t, Load> loads_;
    std::vector<std::int64_t> prefill_tokens_;
    std::vector<std::int64_t> context_tokens_;
    std::vector<std::int64_t> matched_;  // of the last pick
    routing::PrefixIndex index_{std::numeric_limits<std::size_t>::max()};
};

// The gateway's own choice. What the gateway would not know is not told here either: how long an
// answer will be, and with `reports` off, what engines keep.
class PoolPolicy final : public ServePolicy {
  public:
    PoolPolicy(bool reports, Random& random) : reports_(reports), random_(random) {}

    void set_replicas(const std::vector<Replica>& replicas) override {
        std::vector<Route> routes;
        for (const Replica& replica : replicas) {
            Route route;
            route.rtt_ms = replica.rtt_ms;
            route.endpoint.id = id_of(replica.index);
            route.endpoint.model = kModel;
            route.endpoint.provider = "provider";
            routes.push_back(std::move(route));
        }
        const auto refused = pool_.replace(std::move(routes));
        CHECK(refused.empty(), "these routes have no defect");
    }
    std::size_t choose(std::size_t call, const ServeRequest& request, Time now) override {
        const Result<routing::EndpointPool::Choice> choice = pool_.choose(
            {.model = kModel, .prompt_tokens = request.input_tokens, .prompt = request.prompt}, now,
            random_
        );
        CHECK(choice.has_value(), "no simulated engine fails, and a slow one is taken");
        calls_[call] = {*choice, now, request.output_tokens};
        return choice->endpoint_id.raw().low;
    }
    void first_token(std::size_t call, Time now) override {
        Call& running = calls_.at(call);
        pool_.first_token(running.choice, now - running.at, now);
    }
    void done(std::size_t call, Time now) override {
        const Call& ended = calls_.at(call);
        pool_.finish(ended.choice, {.output_tokens = ended.output_tokens}, now);
        calls_.erase(call);
    }
    void stored(std::size_t replica, routing::BlockHash block, Time now) override {
        if (reports_) pool_.on_stored(id_of(replica), block, now);
    }
    void removed(std::size_t replica, routing::BlockHash block) override {
        if (reports_) pool_.on_removed(id_of(replica), block);
    }
    void load(std::size_t replica, double cache_used_share, std::size_t waiting, Time now)
        override {
        if (!reports_) return;
        pool_.on_load(
            id_of(replica),
            {.cache_used_share = cache_used_share,
             .calls_waiting = static_cast<std::int64_t>(waiting)},
            now
        );
    }

  private:
    static constexpr std::string_view kModel = "model";
    struct Call {
        routing::EndpointPool::Choice choice;
        Time at;
        std::int64_t output_tokens = 0;  // told to the pool when they have been received
    };
    static EndpointId id_of(std::size_t replica) { return EndpointId(RawId{1, replica}); }

    bool reports_;
    Random& random_;
    routing::EndpointPool pool_;
    std::unordered_map<std::size_t, Call> calls_;
};

}  // namespace

const std::vector<std::string_view>& serve_policy_names() {
    static const std::vector<std::string_view> kNames{"round_robin", "least_loaded", "two_choices",
                                                      "sglang",      "dynamo",       "penstock",
                                                      "penstock_kv"};
    return kNames;
}

Result<std::unique_ptr<ServePolicy>> make_serve_policy(std::string_view name, Random& random) {
    if (name == "round_robin") return std::make_unique<RoundRobin>(random);
    if (name == "least_loaded") return std::make_unique<LeastLoaded>(random);
    if (name == "two_choices") return std::make_unique<TwoChoices>(random);
    if (name == "sglang") return std::make_unique<SglangRule>(random);
    if (name == "dynamo") return std::make_unique<DynamoRule>(random);
    if (name == "penstock") return std::make_unique<PoolPolicy>(false, random);
    if (name == "penstock_kv") return std::make_unique<PoolPolicy>(true, random);
    std::string known;
    for (const std::string_view policy : serve_policy_names())
        known.append(known.empty() ? "" : ", ").append(policy);
    return fail_field(
        ErrorCode::invalid_argument, "policies",
        "'" + std::string(name) + "' is no policy; there are " + known
    );
}

}  // namespace penstock::sim
