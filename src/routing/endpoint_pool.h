// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "model/endpoint.h"
#include "model/gateway_status.h"
#include "routing/attempt_plan.h"
#include "routing/breaker.h"
#include "routing/call_meter.h"
#include "routing/class_prices.h"
#include "routing/decision.h"
#include "routing/endpoint_index.h"
#include "routing/engine_load.h"
#include "routing/engine_rates.h"
#include "routing/prefix_index.h"
#include "routing/provider_preferences.h"
#include "routing/supplier_window.h"
#include "routing/usage_habit.h"

namespace penstock::routing {

// Which endpoints a call may use, and what is known of its prompt.
struct EndpointQuery {
    std::string_view model;
    std::string_view protocol = {};             // that the engine must speak; empty: any
    std::optional<Price> input_price_max = {};  // yuan per million tokens
    std::optional<Price> output_price_max = {};
    std::span<const EndpointId> excluded = {};  // tried before, in this order
    // Lists of providers' and of sites' names; an endpoint must be in every one of them.
    std::span<const std::vector<std::string>* const> providers = {};
    std::span<const std::vector<std::string>* const> sites = {};
    const ProviderPreferences* preferences = nullptr;
    std::int64_t prompt_tokens = 0;          // estimated; 0: unknown
    std::int64_t output_tokens_max = 0;      // that it may make; 0: unknown
    std::span<const BlockHash> prompt = {};  // its blocks, salted by tenant and model
    std::optional<BlockHash> session = {};   // salted as well
    EnginePhase phase = EnginePhase::both;   // EndpointPool finds it; others are left out
    // Hedges and retries leave the prompt where it was sent first.
    bool remembers_prompt = true;
};

// How an attempt ended, for breaker and measurement.
struct AttemptReport {
    AttemptOutcome outcome = AttemptOutcome::answered;
    std::optional<double> tokens_per_second = {};  // of a stream, after its first token
    std::int64_t output_tokens = 0;
    std::int64_t tokens_charged = 0;
    ExactMoney charge = {};
    std::optional<UsageSample> usage = {};  // of a stream
};

// The engines of the route table: which ones answer for a model, what each carries, what each has
// shown, and which are left alone for now. Pure; one owner. A call is in flight from choose() until
// its one finish().
//
// Choice: hard filters, then the call's order, then the least score (see decision.h), of those
// within kTieShare by chance in proportion to their weights. Rates are learned from first tokens,
// of all engines of a model together and of one that is unlike the others alone; where none is
// known reference rates stand for them, and where nothing is known of the prompt two endpoints at
// random are compared. last_decision() tells all of it.
//
// Where endpoints of a model were set up for one phase of calls (Endpoint::phase), a call goes to
// those of its own phase and to those of none, and to the others only where none of these can take
// it: its phase is prefill where its prompt has more than kPrefillTimes the tokens of the answer
// that is expected.
//
// A model of more than kWalkMax endpoints is not walked for each call: calls with the same fixed
// filters share an index of them (see endpoint_index.h), which finds the same least score and draws
// among the same ties. Retries, calls with an order, a sort or a wish, and calls for which all
// endpoints are left alone still walk.
class EndpointPool {
  public:
    static constexpr double kTieShare = 0.02;
    // A token of a prompt costs an engine about a sixteenth of one that it makes.
    static constexpr double kPrefillTimes = 16;
    static constexpr double kMatchShareMin = 0.3;  // less of the prompt cached counts for nothing
    // Both exceeded: load goes before caches.
    static constexpr std::int64_t kUnevenCalls = 64;
    static constexpr double kUnevenTimes = 1.5;
    static constexpr double kPriceMs = 100;        // for twice the price of the cheapest
    static constexpr double kRegretMax = 4;        // dearer than this counts no more
    static constexpr double kWishMissedMs = 1000;  // for a rate of nothing, in proportion
    static constexpr double kCacheFullShare = 0.9;
    static constexpr double kCacheFullMs = 1000;  // at 100 %, in proportion from kCacheFullShare
    static constexpr Duration kLoadFreshFor = 10s;
    // What is computed for a call is waited for by those that come behind it: as many as wait now,
    // were load steady, and as many again while it grows.
    static constexpr double kBehindPerWaiting = 2;
    static constexpr double kCommonKept = 0.998;  // a model's engines together answer more
    static constexpr std::int64_t kHedgeSamplesMin = 20;
    static constexpr std::size_t kWalkMax = 8;
    static constexpr std::size_t kIndexesMax = 8;   // of a model; the one unused for longest goes
    static constexpr std::size_t kFiltersMet = 16;  // an index is made when its filters come again

    // Replaces the table; calls in flight and what is known of endpoints that stay are kept.
    // Routes that cannot be used (another protocol, a price too fine to rate) are left out and
    // named.
    std::vector<std::string> replace(std::vector<Route> routes);

    // One attempt; its owner hands it back to first_token() and finish().
    struct Choice {
        EndpointId endpoint_id;
        bool probe = false;                      // the one call that a breaker lets through
        EngineQueue queue = {};                  // what it met, itself included
        std::int64_t prefill_tokens = 0;         // its own that are not cached
        std::int64_t context_tokens = 0;         // what it will hold, as far as one can tell
        std::optional<double> expected_ms = {};  // until its first token
        bool waiting = true;
    };
    // not_found: no endpoint for the model. invalid_argument: all are above the price limits, or
    // excluded by the call's preferences. unavailable: none is ready, or all are left alone (see
    // retry_after()).
    Result<Choice> choose(const EndpointQuery& query, Time now, Random& random);
    // Of the last choose(), successful or not; of an indexed model only the chosen one and those
    // that know the prompt.
    const Decision& last_decision() const { return decision_; }
    // What choose() would look at now, whole. Walks.
    Decision explain(const EndpointQuery& query, Time now);
    // A stream's first content, so long after choose().
    void first_token(Choice& choice, Duration after, Time now);
    void finish(const Choice& choice, const AttemptReport& report, Time now);
    void finish(const Choice& choice, AttemptOutcome outcome, Time now) {
        finish(choice, AttemptReport{.outcome = outcome}, now);
    }

    // What engines report of themselves, where they do. Unknown endpoints are passed over.
    void on_load(const EndpointId& id, const EngineLoad& load, Time now);
    void on_stored(const EndpointId& id, BlockHash block, Time now);
    void on_removed(const EndpointId& id, BlockHash block);

    // The dearest worst case among the endpoints that choose() could take, now or on a retry.
    Result<Money> worst_case(const EndpointQuery& query, const TokenBound& bound);
    // Whether a ready endpoint is within what the call asks for, and not excluded. Walks.
    bool has_allowed(const EndpointQuery& query) const;
    // When the first breaker for the model lets a probe through.
    std::optional<Duration> retry_after(std::string_view model, Time now) const;
    // Nothing for a model that is not in the table.
    RetryBudget* retries(std::string_view model);
    // After which silence a second engine may be asked: the 95th percentile of first tokens.
    std::optional<Duration> hedge_after(std::string_view model, Time now) const;
    // What calls of `model` to `provider` have shown; empty figures where there were none.
    SupplierFigures figures(std::string_view provider, std::string_view model, Time now) const;

    // How its engine tells of streams; null: the endpoint is not known.
    const UsageHabit* habit(const EndpointId& id) const;
    // As the present table has it, or the one before while calls are in flight.
    std::shared_ptr<const Route> find(const EndpointId& id) const;
    bool has_model(std::string_view model) const { return models_.contains(model); }
    // Whether an endpoint of the table speaks it, ready or not.
    bool has_model(std::string_view model, std::string_view protocol) const;
    // Whether one of another protocol is in the table as well.
    bool has_model_beside(std::string_view model, std::string_view protocol) const;
    bool has_ready(std::string_view model) const;
    // No longer ready or in the table, with calls in flight.
    std::vector<EndpointId> leaving() const;
    std::vector<std::string> models() const;  // sorted; with a ready endpoint
    Time model_created(std::string_view model) const;
    std::vector<std::shared_ptr<const Route>> routes(std::string_view model) const;
    std::string model_owner(std::string_view model) const;  // its providers: "a, b"
    // Of the ready ones, by the output's price, then the input's; nothing where none is ready.
    // With `sold`: of those that declare such a share of their prices.
    std::shared_ptr<const Route> cheapest(
        std::string_view model, std::optional<std::int64_t> Endpoint::* sold = nullptr
    ) const;
    std::int64_t in_flight() const { return in_flight_; }
    std::int64_t in_flight(const EndpointId& id) const;
    // One endpoint as it is now; nothing where it is not in the table.
    struct Standing {
        bool open = false;  // ready, and not left alone
        std::int64_t in_flight = 0;
        std::optional<EngineLoad> load;  // where the engine tells it, and told it of late
    };
    std::optional<Standing> standing(const EndpointId& id, Time now) const;
    std::size_t open_breakers(Time now) const;
    // The endpoints of the table for people, at most `most`: those with calls or whose breaker is
    // not closed come first, then by model and id. `left_out` tells how many more there are.
    std::vector<EndpointStatus> statuses(Time now, std::size_t most, std::int64_t* left_out) const;
    // Each model of the table, by name; good until the next replace().
    struct ModelStanding {
        std::string_view model;
        std::array<std::size_t, kBreakerStates> breakers{};  // endpoints, by BreakerState
        int retries_left = 0;
    };
    std::vector<ModelStanding> model_standings(Time now) const;
    const PrefixIndex& prefixes() const { return prefixes_; }
    const PrefixIndex& sessions() const { return sessions_; }

  private:
    struct State {
        std::shared_ptr<const Route> shared;  // calls keep theirs over a replace()
        const Route& route() const { return *shared; }
        std::pair<std::string, std::string> supplier;  // its key in suppliers_
        TokenPrices dearest;  // see dearest_prices(); limits of each call are held against it
        bool listed = false;  // in the present table
        PrefixIndex::Backend backend = 0;
        std::int64_t in_flight = 0;
        std::int64_t waiting = 0;         // of these, without a first token
        std::int64_t prefill_tokens = 0;  // of these, to be computed
        std::int64_t context_tokens = 0;  // of all in flight
        OwnRates rates;
        UsageHabit habit;
        Breaker breaker;
        EngineLoad load;
        std::optional<Time> load_at;
        std::vector<std::pair<EndpointIndex*, std::uint32_t>> places;  // its leaves
    };
    struct Indexed {
        EndpointIndex index;
        std::vector<State*> members;  // by leaf
    };
    struct Model {
        std::vector<State*> endpoints;
        std::set<std::string, std::less<>> protocols;
        bool has_phases = false;  // an endpoint of it was set up for one
        std::vector<std::unique_ptr<Indexed>> indexes;
        std::array<std::uint64_t, kFiltersMet> filters_met{};  // hashes, the newest first
        RetryBudget retries;
        SupplierWindow window;
        double output_tokens_mean = 256;
        EngineRates rates{kCommonKept};  // of all its engines, without their networks
    };
    struct Candidate {
        State* state = nullptr;
        CandidateNote* note = nullptr;
    };

    EndpointStatus status_of(const State& state, Time now) const;
    static std::strong_ordering cost_order(const Endpoint& a, const Endpoint& b);
    // The phase that the call's endpoints are to be of; both: it does not matter.
    static EnginePhase phase_of(const Model& model, const EndpointQuery& query);
    // One that can take the call, with all that was looked at in decision_; null: none.
    State* find_state(Model& model, const EndpointQuery& query, Time now, Random& random);
    // What only a new table or another call changes.
    static FilterReason fixed_filter(const State& state, const EndpointQuery& query);
    FilterReason filter(const State& state, const EndpointQuery& query, Time now) const;
    std::vector<Candidate> survivors(const Model& model, const EndpointQuery& query, Time now);
    std::vector<Candidate> walk(const Model& model, const EndpointQuery& query, Time now);
    Error no_candidate(const EndpointQuery& query) const;
    void keep_first_in_order(
        std::vector<Candidate>& candidates, const EndpointQuery& query, Time now
    );
    void score(
        std::vector<Candidate>& candidates, const Model& model, const EndpointQuery& query, Time now
    );
    void note_matches(std::vector<Candidate>& candidates, const EndpointQuery& query, Time now);
    void add_queue_terms(
        std::vector<Candidate>& candidates, const Model& model, const EndpointQuery& query, Time now
    );
    // Calls without a first token there, those that others have sent included.
    static std::int64_t waiting_at(const State& state, Time now);
    static std::int64_t others_waiting_at(const State& state, Time now);
    void add_penalties(
        std::vector<Candidate>& candidates, const Model& model, const EndpointQuery& query, Time now
    );
    double tokens_per_second_of(const Route& route, Time now) const;
    static bool is_uneven(std::int64_t least, std::int64_t most);  // calls in flight
    static double with_ties(double least);
    static double cache_full_ms(const EngineLoad& load);
    static bool less_loaded(const State& first, const State& second);
    State* two_choices(const std::vector<Candidate>& candidates, Random& random) const;
    State* least_score(const std::vector<Candidate>& candidates, Random& random) const;
    Choice admit(State& state, const Model& model, const EndpointQuery& query, Time now);
    EngineQueue queue_of(const State& state, const EndpointQuery& query, Time now) const;
    static void learn(
        State& state, Model& model, const EngineQueue& queue, Duration first_token, Time now
    );

    // Nothing where the model must be walked.
    State* choose_by_index(Model& model, const EndpointQuery& query, Time now, Random& random);
    State* two_choices(const Indexed& indexed, Random& random) const;
    State* least_score(
        const Indexed& indexed, const Model& model, const EndpointQuery& query, Time now,
        Random& random
    );
    std::vector<ChoiceTree::Special> specials_of(
        const Indexed& indexed, const EndpointQuery& query, Time now
    );
    // Nothing where there is none; made where `makes` and the filters were met before.
    Indexed* index_of(Model& model, const EndpointQuery& query, bool makes);
    std::unique_ptr<Indexed> make_index(
        const Model& model, const EndpointQuery& query, std::string signature
    );
    static EndpointIndex::Present present(const State& state, Time now);
    static void drop_index(Model& model, std::size_t at);
    // Its indexes take it over at their next use.
    static void changed(State& state) {
        for (const auto& [index, leaf] : state.places) index->mark(leaf);
    }

    std::map<std::string, Model, std::less<>> models_;
    std::unordered_map<EndpointId, State> states_;
    std::map<std::pair<std::string, std::string>, SupplierWindow, std::less<>> suppliers_;
    PrefixIndex prefixes_;
    PrefixIndex sessions_{kSessionBytesMax};
    PrefixIndex::Backend backends_ = 0;
    std::unordered_map<PrefixIndex::Backend, State*> by_backend_;
    std::uint64_t index_uses_ = 0;
    std::int64_t in_flight_ = 0;
    Decision decision_;

    static constexpr std::size_t kSessionBytesMax = 8UL * 1024 * 1024;
};

}  // namespace penstock::routing
