// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "placement/score_tree.h"

namespace penstock::placement {
namespace {

RC_GTEST_PROP(ScoreTreeProperty, FindsTheFirstOfTheBestLikeAScan, ()) {
    const std::size_t entries = *rc::gen::inRange<std::size_t>(1, 2100);
    ScoreTree tree(entries);
    std::vector<Score> model(entries, -1);
    for (std::size_t i = 0; i < entries; ++i) tree.set(i, -1);
    const auto steps = *rc::gen::container<std::vector<std::pair<std::size_t, int>>>(
        rc::gen::pair(rc::gen::inRange<std::size_t>(0, entries), rc::gen::inRange(-3, 6))
    );
    for (const auto& [entry, score] : steps) {
        tree.set(entry, static_cast<Score>(score));
        model[entry] = static_cast<Score>(score);

        const auto best = std::ranges::max_element(model);
        RC_ASSERT(tree.best() == *best);
        RC_ASSERT(tree.first_best() == static_cast<std::size_t>(best - model.begin()));
    }
    std::size_t rank = 0;
    for (std::size_t i = 0; i < entries; ++i)
        if (model[i] >= 0) RC_ASSERT(tree.choosable(rank++) == i);
}

}  // namespace
}  // namespace penstock::placement
