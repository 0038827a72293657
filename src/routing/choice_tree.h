// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "routing/decision.h"
#include "routing/engine_rates.h"
#include "routing/prompt_blocks.h"

namespace penstock::routing {

// What an endpoint's score is made of, as far as it is not the call's own.
struct ChoiceLeaf {
    bool open = false;                        // may be chosen now
    std::optional<EngineRates::Rates> rates;  // its own, where it is unlike the others
    std::int64_t prefill_tokens = 0;          // of its calls, to be computed
    double context_blocks = 0;                // of its calls
    std::int64_t prompts_waiting = 0;         // of others, each as long as the call's own
    std::int64_t calls_waiting = 0;           // for a first token, those included
    double network_ms = 0;                    // counts by the common rates
    double memory_ms = 0;                     // penalty
    double price_input = 0;
    double price_output = 0;
    std::int64_t weight = 0;
    std::int64_t in_flight = 0;
};

// What all scores of one choice share.
struct ChoiceCall {
    std::int64_t prompt_tokens = 0;
    double output_tokens = 0;  // expected
    // Of the model; nothing: kReferenceRates, and no leaf has rates of its own.
    std::optional<EngineRates::Rates> common = {};
    bool guarded = false;  // what is cached does not count
    double behind = 0;     // calls that will wait for what is computed of this one
    double cheapest = 0;   // of all that may be chosen: least price of the call
};

// The endpoints that one kind of call may use, in a tree whose inner nodes know the least of each
// term below them: the least score, the ties with it and a draw among them are found without
// looking at each endpoint. Exact: bounds only say where not to look. Costs of a change and of a
// choice grow with the logarithm of the number, but for a choice among few ties in many endpoints
// of much the same score. Pure; one owner.
class ChoiceTree {
  public:
    // A leaf that is scored otherwise for this call: some of its prompt is cached there.
    struct Special {
        std::size_t leaf = 0;
        std::int64_t matched_tokens = 0;
        double score = 0;
    };
    struct Totals {
        std::int64_t open = 0;
        std::int64_t calls_waiting = 0;
        std::int64_t in_flight_min = 0;
        std::int64_t in_flight_max = 0;
    };
    // Where no engine has shown its rates, since nothing was streamed of late: a block to compute
    // counts like one to hold, and 16 tokens in a millisecond is what an engine of today computes
    // of a prompt. Only against penalties in milliseconds (memory, wishes, price, network) does it
    // matter how fast that is; powers of two keep sums of blocks exact.
    static constexpr EngineRates::Rates kReferenceRates{
        .base_ms = 0, .ms_per_token = 1.0 / 16, .ms_per_block = kBlockTokens / 16.0
    };

    explicit ChoiceTree(std::vector<ChoiceLeaf> leaves);
    void set(std::size_t leaf, const ChoiceLeaf& value);
    const ChoiceLeaf& leaf(std::size_t at) const { return leaves_[at]; }
    std::size_t size() const { return leaves_.size(); }
    Totals totals() const;

    static ScoreTerms terms_of(
        const ChoiceLeaf& leaf, const ChoiceCall& call, std::int64_t matched_tokens
    );
    // All of open leaves; the tree must have one.
    double least_cost(const ChoiceCall& call) const;
    double least_score(const ChoiceCall& call) const;
    std::optional<std::size_t> first_within(const ChoiceCall& call, double score_max) const;
    std::size_t nth_open(std::int64_t n) const;
    // One of [begin, end) whose score is at most score_max, in proportion to the weights. There
    // must be one.
    struct Ties {
        std::size_t begin = 0;
        std::size_t end = 0;
        double score_max = 0;
        std::span<const Special> specials;
    };
    std::size_t draw(const ChoiceCall& call, const Ties& ties, Random& random) const;

  private:
    static constexpr std::size_t kAnchors = 4;
    static constexpr std::array<double, kAnchors> kAnchorTokens{0, 512, 4096, 32768};
    static constexpr int kDrawsMax = 16;

    struct Node {
        std::int64_t open = 0;
        std::int64_t own = 0;  // of these, with rates of their own
        std::int64_t weight = 0;
        std::int64_t calls_waiting = 0;
        std::int64_t in_flight_min = 0;
        std::int64_t in_flight_max = 0;
        // The least of those with rates of their own: of the whole time for prompts of these
        // lengths, and of what each further token adds.
        std::array<double, kAnchors> at{};
        double slope = 0;
        // The least of the others.
        double prefill_tokens = 0;
        double context_blocks = 0;
        double blocks = 0;  // of both together, in blocks
        double prompts_waiting = 0;
        double network_ms = 0;
        double memory_ms = 0;
        // The least of all.
        double price_input = 0;
        double price_output = 0;
    };
    static Node node_of(const ChoiceLeaf& leaf);
    static Node joined(const Node& a, const Node& b);
    static double own_bound(const Node& node, const ChoiceCall& call);
    static double other_bound(const Node& node, const ChoiceCall& call);
    static double bound(const Node& node, const ChoiceCall& call);
    static bool may_hold(const Node& node, const ChoiceCall& call, double score_max);
    double score(std::size_t leaf, const ChoiceCall& call) const;
    template <class Bound, class Value>
    double least(Bound bound_of, Value value_of) const;
    std::int64_t weight_before(std::size_t leaf) const;
    std::size_t at_weight(std::int64_t weight) const;
    std::size_t draw_of_all(const ChoiceCall& call, const Ties& ties, Random& random) const;

    std::vector<ChoiceLeaf> leaves_;
    std::size_t base_ = 1;     // the first leaf's node; a power of two
    std::vector<Node> nodes_;  // 1 is the root, the children of n are 2n and 2n + 1
};

}  // namespace penstock::routing
