// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "model/endpoint.h"
#include "routing/call_meter.h"

namespace penstock::routing {

// Which endpoints a call may use.
struct EndpointQuery {
    std::string_view model;
    std::optional<Price> input_price_max = {};  // yuan per million tokens
    std::optional<Price> output_price_max = {};
    std::span<const EndpointId> excluded = {};  // tried before
    // Lists of providers' and of sites' names; an endpoint must be in every one of them.
    std::span<const std::vector<std::string>* const> providers = {};
    std::span<const std::vector<std::string>* const> sites = {};
};

// What became of an attempt, for the breaker.
enum class AttemptOutcome : std::uint8_t {
    answered,   // the engine works, whatever it said
    failed,     // no connection, a gateway or server error, a stream that broke off, silence
    abandoned,  // ended by us or the client before anything could be told
};

// The engines of the route table: which ones answer for a model, how many calls each carries, and
// which are left alone for now. Pure; one owner. A call is in flight from choose() until its one
// finish().
//
// Choice: among ready endpoints within the price limits, two at random; fewer calls in flight wins,
// then the cheaper, then chance. Breaker: after kFailuresToOpen failures in a row an endpoint is
// left alone for kOpenFirst, doubling to kOpenMax; then one call may probe it.
class EndpointPool {
  public:
    static constexpr int kFailuresToOpen = 5;
    static constexpr Duration kOpenFirst = 2s;
    static constexpr Duration kOpenMax = 60s;

    // Replaces the table; calls in flight and breaker states of endpoints that stay are kept.
    // Routes that cannot be used (another protocol, a price too fine to rate) are left out and
    // named.
    std::vector<std::string> replace(std::vector<Route> routes);

    struct Choice {
        EndpointId endpoint_id;
        bool probe = false;  // the one call that a breaker lets through
    };
    // not_found: no endpoint for the model. invalid_argument: all are above the price limits.
    // unavailable: none is ready, or all are left alone (see retry_after()).
    Result<Choice> choose(const EndpointQuery& query, Time now, Random& random);
    void finish(const Choice& choice, AttemptOutcome outcome, Time now);

    // The dearest worst case among the endpoints that choose() could take, now or on a retry.
    Result<Money> worst_case(const EndpointQuery& query, const TokenBound& bound) const;
    // When the first breaker for the model lets a probe through.
    std::optional<Duration> retry_after(std::string_view model, Time now) const;

    // Valid until the next replace().
    const Route* find(const EndpointId& id) const;
    bool has_model(std::string_view model) const { return by_model_.contains(model); }
    std::vector<std::string> models() const;  // sorted; with a ready endpoint
    Time model_created(std::string_view model) const;
    std::string model_owner(std::string_view model) const;  // its providers: "a, b"
    std::int64_t in_flight() const { return in_flight_; }
    std::size_t open_breakers(Time now) const;

  private:
    struct State {
        Route route;
        bool listed = false;  // in the present table
        std::int64_t in_flight = 0;
        int failures = 0;
        int opened = 0;  // times in a row
        Time open_until;
        bool probing = false;
        bool usable(const EndpointQuery& query) const;
        bool closed(Time now) const {
            return failures < kFailuresToOpen || (now >= open_until && !probing);
        }
    };

    std::map<std::string, std::vector<EndpointId>, std::less<>> by_model_;
    std::unordered_map<EndpointId, State> states_;
    std::int64_t in_flight_ = 0;
};

// Keeps retries to a share of calls, so that an outage is not answered with a storm: each call adds
// a tenth of a token, each retry takes one.
class RetryBudget {
  public:
    static constexpr int kCallsPerRetry = 10;
    static constexpr int kTokensMax = 100;
    void on_call();
    bool try_retry();

  private:
    int tenths_ = kTokensMax;  // a tenth full at the start
};

}  // namespace penstock::routing
