// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/decision.h"

namespace penstock::dispatch {

struct Replay {
    bool identical = false;
    std::string difference;  // the first one: "answer.plan.candidates[0].node: 'a' was, 'b' is"
    DecisionAnswer answer;   // as it comes out now
};

// Makes the decision again from its state and question, by the code that made it: picks in every
// pool, then the plan. Compares the bytes of the answer.
Replay replay(const DecisionRecord& record);

}  // namespace penstock::dispatch
