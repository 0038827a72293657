// SPDX-License-Identifier: Apache-2.0
#include "routing/endpoint_index.h"

#include <algorithm>

namespace penstock::routing {
namespace {

// Those that could be the dearest, whatever a call's bound: of two that are apart on both sides one
// never is.
std::vector<TokenPrices> dearest_of(const std::vector<EndpointIndex::Member>& members) {
    std::vector<TokenPrices> all;
    all.reserve(members.size());
    for (const EndpointIndex::Member& member : members)
        all.push_back(dearest_prices(member.prices));
    std::ranges::sort(all, [](const TokenPrices& a, const TokenPrices& b) {
        const std::strong_ordering input = compare_prices(a.input, b.input);
        return input != 0 ? input > 0 : compare_prices(a.output, b.output) > 0;
    });
    std::vector<TokenPrices> out;
    for (const TokenPrices& prices : all)
        if (out.empty() || compare_prices(prices.output, out.back().output) > 0)
            out.push_back(prices);
    return out;
}

}  // namespace

EndpointIndex::EndpointIndex(std::string signature, const std::vector<Member>& members)
    : signature_(std::move(signature)),
      tree_(std::vector<ChoiceLeaf>(members.size())),
      dearest_(dearest_of(members)),
      marked_(members.size()),
      until_(members.size()) {
    ranks_.reserve(members.size());
    for (const Member& member : members) ranks_.push_back(member.rank);
    changed_.reserve(members.size());
    for (std::uint32_t leaf = 0; leaf < members.size(); ++leaf) mark(leaf);
}

std::pair<std::size_t, std::size_t> EndpointIndex::equals(std::size_t leaf) const {
    const auto range = std::ranges::equal_range(ranks_, ranks_[leaf]);
    return {
        static_cast<std::size_t>(range.begin() - ranks_.begin()),
        static_cast<std::size_t>(range.end() - ranks_.begin())
    };
}

Result<Money> EndpointIndex::worst_case(const TokenBound& bound) const {
    Money most;
    for (const TokenPrices& prices : dearest_)
        most = std::max(most, TRY(routing::worst_case(bound, prices)));
    return most;
}

}  // namespace penstock::routing
