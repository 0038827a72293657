// SPDX-License-Identifier: Apache-2.0
#include "routing/choice_tree.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "routing/endpoint_pool.h"

namespace penstock::routing {
namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();

double cost_of(double price_input, double price_output, const ChoiceCall& call) {
    return price_input * static_cast<double>(call.prompt_tokens) +
           price_output * call.output_tokens;
}

double regret_ms(double cost, double cheapest) {
    const double dearer = cost - cheapest;
    if (dearer <= 0) return 0;
    return EndpointPool::kPriceMs * (cheapest > 0
                                         ? std::min(EndpointPool::kRegretMax, dearer / cheapest)
                                         : EndpointPool::kRegretMax);
}

}  // namespace

// ---- scores ----

ScoreTerms ChoiceTree::terms_of(
    const ChoiceLeaf& leaf, const ChoiceCall& call, std::int64_t matched_tokens
) {
    const EngineRates::Rates common = call.common.value_or(kReferenceRates);
    const EngineRates::Rates rates = leaf.rates.value_or(common);
    ScoreTerms terms;
    terms.queue = rates.first_token_ms(
        {.prefill_tokens = leaf.prefill_tokens + (1 + leaf.prompts_waiting) * call.prompt_tokens,
         .decode_blocks = leaf.context_blocks}
    );
    const auto prompt = static_cast<double>(call.prompt_tokens);
    const bool counts = !call.guarded &&
                        static_cast<double>(matched_tokens) > EndpointPool::kMatchShareMin * prompt;
    const auto cached = static_cast<double>(counts ? matched_tokens : 0);
    terms.prefix = rates.ms_per_token * cached;
    terms.others = call.behind * common.ms_per_token * (prompt - cached);
    if (!leaf.rates) terms.network = leaf.network_ms;
    terms.price = regret_ms(cost_of(leaf.price_input, leaf.price_output, call), call.cheapest);
    terms.memory = leaf.memory_ms;
    return terms;
}

double ChoiceTree::score(std::size_t leaf, const ChoiceCall& call) const {
    return terms_of(leaves_[leaf], call, 0).score();
}

// Between two lengths for which the least is known, no endpoint's line is below the chord.
double ChoiceTree::own_bound(const Node& node, const ChoiceCall& call) {
    const auto tokens = static_cast<double>(call.prompt_tokens);
    std::size_t i = 0;
    while (i + 1 < kAnchors && kAnchorTokens[i + 1] < tokens) ++i;
    if (i + 1 == kAnchors) return node.at[i] + node.slope * (tokens - kAnchorTokens[i]);
    const double share = (tokens - kAnchorTokens[i]) / (kAnchorTokens[i + 1] - kAnchorTokens[i]);
    return (1 - share) * node.at[i] + share * node.at[i + 1];
}

double ChoiceTree::other_bound(const Node& node, const ChoiceCall& call) {
    const double prompts = (1 + node.prompts_waiting) * static_cast<double>(call.prompt_tokens);
    const double beside = node.network_ms + node.memory_ms;
    // The least sum is a better bound than the sum of what is least.
    if (!call.common)
        return kReferenceRates.ms_per_block * node.blocks + kReferenceRates.ms_per_token * prompts +
               beside;
    return call.common->base_ms + call.common->ms_per_token * (node.prefill_tokens + prompts) +
           call.common->ms_per_block * node.context_blocks + beside;
}

double ChoiceTree::bound(const Node& node, const ChoiceCall& call) {
    double least = kNone;
    if (node.own > 0) least = own_bound(node, call);
    if (node.open > node.own) least = std::min(least, other_bound(node, call));
    least += call.behind * call.common.value_or(kReferenceRates).ms_per_token *
             static_cast<double>(call.prompt_tokens);
    return least + regret_ms(cost_of(node.price_input, node.price_output, call), call.cheapest);
}

// Sums of least terms are rounded otherwise than scores are.
bool ChoiceTree::may_hold(const Node& node, const ChoiceCall& call, double score_max) {
    constexpr double kRounding = 1e-9;
    if (node.open == 0) return false;
    const double least = bound(node, call);
    return least - kRounding * std::max(1.0, least) <= score_max;
}

// ---- the tree ----

ChoiceTree::Node ChoiceTree::node_of(const ChoiceLeaf& leaf) {
    Node node;
    if (!leaf.open) return node;
    node.open = 1;
    node.weight = leaf.weight;
    node.calls_waiting = leaf.calls_waiting;
    node.in_flight_min = node.in_flight_max = leaf.in_flight;
    node.price_input = leaf.price_input;
    node.price_output = leaf.price_output;
    if (leaf.rates) {
        node.own = 1;
        const double prompts = 1 + static_cast<double>(leaf.prompts_waiting);
        node.slope = leaf.rates->ms_per_token * prompts;
        for (std::size_t i = 0; i < kAnchors; ++i)
            node.at[i] = leaf.rates->base_ms +
                         leaf.rates->ms_per_token * static_cast<double>(leaf.prefill_tokens) +
                         leaf.rates->ms_per_block * leaf.context_blocks + leaf.memory_ms +
                         node.slope * kAnchorTokens[i];
        return node;
    }
    node.prefill_tokens = static_cast<double>(leaf.prefill_tokens);
    node.context_blocks = leaf.context_blocks;
    node.blocks = node.prefill_tokens / kBlockTokens + leaf.context_blocks;
    node.prompts_waiting = static_cast<double>(leaf.prompts_waiting);
    node.network_ms = leaf.network_ms;
    node.memory_ms = leaf.memory_ms;
    return node;
}

ChoiceTree::Node ChoiceTree::joined(const Node& a, const Node& b) {
    if (a.open == 0) return b;
    if (b.open == 0) return a;
    Node out = a;
    out.open += b.open;
    out.own += b.own;
    out.weight += b.weight;
    out.calls_waiting += b.calls_waiting;
    out.in_flight_min = std::min(a.in_flight_min, b.in_flight_min);
    out.in_flight_max = std::max(a.in_flight_max, b.in_flight_max);
    out.price_input = std::min(a.price_input, b.price_input);
    out.price_output = std::min(a.price_output, b.price_output);
    if (b.own > 0) {
        const auto least = [&](double mine, double other) {
            return a.own > 0 ? std::min(mine, other) : other;
        };
        for (std::size_t i = 0; i < kAnchors; ++i) out.at[i] = least(a.at[i], b.at[i]);
        out.slope = least(a.slope, b.slope);
    }
    if (b.open > b.own) {
        const bool both = a.open > a.own;
        const auto least = [&](double Node::* term) {
            out.*term = both ? std::min(a.*term, b.*term) : b.*term;
        };
        for (const auto term :
             {&Node::prefill_tokens, &Node::context_blocks, &Node::blocks, &Node::prompts_waiting,
              &Node::network_ms, &Node::memory_ms})
            least(term);
    }
    return out;
}

ChoiceTree::ChoiceTree(std::vector<ChoiceLeaf> leaves) : leaves_(std::move(leaves)) {
    base_ = std::bit_ceil(std::max<std::size_t>(1, leaves_.size()));
    nodes_.resize(2 * base_);
    for (std::size_t i = 0; i < leaves_.size(); ++i) nodes_[base_ + i] = node_of(leaves_[i]);
    for (std::size_t n = base_ - 1; n > 0; --n)
        nodes_[n] = joined(nodes_[2 * n], nodes_[2 * n + 1]);
}

void ChoiceTree::set(std::size_t leaf, const ChoiceLeaf& value) {
    leaves_[leaf] = value;
    std::size_t n = base_ + leaf;
    nodes_[n] = node_of(value);
    for (n /= 2; n > 0; n /= 2) nodes_[n] = joined(nodes_[2 * n], nodes_[2 * n + 1]);
}

ChoiceTree::Totals ChoiceTree::totals() const {
    const Node& root = nodes_[1];
    return {
        .open = root.open,
        .calls_waiting = root.calls_waiting,
        .in_flight_min = root.in_flight_min,
        .in_flight_max = root.in_flight_max,
    };
}

// ---- searches ----

// Depth first, the more promising child first; a branch that cannot hold less is not entered.
template <class Bound, class Value>
double ChoiceTree::least(Bound bound_of, Value value_of) const {
    struct Branch {
        std::size_t node = 1;
        double bound = 0;
    };
    std::array<Branch, std::size_t{2} * std::numeric_limits<std::size_t>::digits> branches;
    std::size_t count = 0;
    double found = kNone;
    branches[count++] = {1, bound_of(nodes_[1])};
    while (count > 0) {
        const Branch branch = branches[--count];
        if (branch.bound >= found) continue;
        if (branch.node >= base_) {
            found = std::min(found, value_of(branch.node - base_));
            continue;
        }
        Branch left{2 * branch.node, kNone};
        Branch right{2 * branch.node + 1, kNone};
        if (nodes_[left.node].open > 0) left.bound = bound_of(nodes_[left.node]);
        if (nodes_[right.node].open > 0) right.bound = bound_of(nodes_[right.node]);
        if (left.bound < right.bound) std::swap(left, right);
        if (left.bound < found) branches[count++] = left;
        if (right.bound < found) branches[count++] = right;
    }
    return found;
}

double ChoiceTree::least_cost(const ChoiceCall& call) const {
    return least(
        [&](const Node& node) { return cost_of(node.price_input, node.price_output, call); },
        [&](std::size_t at) {
            return cost_of(leaves_[at].price_input, leaves_[at].price_output, call);
        }
    );
}

double ChoiceTree::least_score(const ChoiceCall& call) const {
    return least(
        [&](const Node& node) { return bound(node, call); },
        [&](std::size_t at) { return score(at, call); }
    );
}

std::optional<std::size_t> ChoiceTree::first_within(const ChoiceCall& call, double score_max)
    const {
    std::array<std::size_t, std::numeric_limits<std::size_t>::digits + 1> nodes;
    std::size_t count = 0;
    nodes[count++] = 1;
    while (count > 0) {
        const std::size_t n = nodes[--count];
        if (!may_hold(nodes_[n], call, score_max)) continue;
        if (n < base_) {
            nodes[count++] = 2 * n + 1;
            nodes[count++] = 2 * n;
        } else if (score(n - base_, call) <= score_max) {
            return n - base_;
        }
    }
    return std::nullopt;
}

std::size_t ChoiceTree::nth_open(std::int64_t n) const {
    CHECK(n >= 0 && n < nodes_[1].open, "asked for one of those that are open");
    std::size_t node = 1;
    while (node < base_) {
        node *= 2;
        if (n >= nodes_[node].open) n -= nodes_[node++].open;
    }
    return node - base_;
}

std::int64_t ChoiceTree::weight_before(std::size_t leaf) const {
    if (leaf >= base_) return nodes_[1].weight;
    std::int64_t sum = 0;
    for (std::size_t n = base_ + leaf; n > 1; n /= 2)
        if (n % 2 == 1) sum += nodes_[n - 1].weight;
    return sum;
}

std::size_t ChoiceTree::at_weight(std::int64_t weight) const {
    std::size_t node = 1;
    while (node < base_) {
        node *= 2;
        if (weight >= nodes_[node].weight) weight -= nodes_[node++].weight;
    }
    return node - base_;
}

// First a few draws from the whole range, of which those outside are thrown away: where ties are
// many one is soon met, and where none is met that says nothing of which one it would have been.
std::size_t ChoiceTree::draw(const ChoiceCall& call, const Ties& ties, Random& random) const {
    const std::int64_t before = weight_before(ties.begin);
    const std::int64_t weight = weight_before(ties.end) - before;
    CHECK(weight > 0, "a range with a tie has a weight");
    for (int i = 0; i < kDrawsMax; ++i) {
        const std::size_t drawn = at_weight(
            before + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(weight)))
        );
        const auto special = std::ranges::find(ties.specials, drawn, &Special::leaf);
        const double shown = special != ties.specials.end() ? special->score : score(drawn, call);
        if (shown <= ties.score_max) return drawn;
    }
    return draw_of_all(call, ties, random);
}

std::size_t ChoiceTree::draw_of_all(const ChoiceCall& call, const Ties& ties, Random& random)
    const {
    std::vector<std::size_t> equal;
    std::uint64_t weights = 0;
    const auto add = [&](std::size_t leaf) {
        if (leaf < ties.begin || leaf >= ties.end) return;
        equal.push_back(leaf);
        weights += static_cast<std::uint64_t>(leaves_[leaf].weight);
    };
    for (const Special& special : ties.specials)
        if (special.score <= ties.score_max) add(special.leaf);
    std::vector<std::size_t> nodes{1};
    while (!nodes.empty()) {
        const std::size_t n = nodes.back();
        nodes.pop_back();
        if (!may_hold(nodes_[n], call, ties.score_max)) continue;
        if (n < base_) {
            nodes.push_back(2 * n);
            nodes.push_back(2 * n + 1);
        } else if (score(n - base_, call) <= ties.score_max &&
                   std::ranges::find(ties.specials, n - base_, &Special::leaf) ==
                       ties.specials.end()) {
            add(n - base_);
        }
    }
    std::uint64_t drawn = random.below(weights);
    for (const std::size_t leaf : equal) {
        const auto weight = static_cast<std::uint64_t>(leaves_[leaf].weight);
        if (drawn < weight) return leaf;
        drawn -= weight;
    }
    CHECK(false, "what was drawn is below the sum of the weights");
    return 0;
}

}  // namespace penstock::routing
