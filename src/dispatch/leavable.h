// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/decision.h"

namespace penstock::dispatch {

// Work that may leave, by attempt: a flat table, since one answer asks it for every attempt of a
// large platform. The list outlives it.
class Leavable {
  public:
    struct Entry {
        AttemptId attempt;
        const LeavableWork* work = nullptr;  // null: nobody
        Duration unsaved{};                  // running time since its last checkpoint
    };
    explicit Leavable(const std::vector<LeavableWork>& all);
    // Null: the attempt is not among them. Nearly all of its time is one look into memory, so who
    // asks for several fetches them all before.
    const Entry* find(AttemptId attempt) const;
    void fetch(AttemptId attempt) const { __builtin_prefetch(&slots_[home_of(attempt)]); }

  private:
    std::size_t home_of(AttemptId attempt) const;

    std::vector<Entry> slots_;  // 2ⁿ, three quarters of them taken at most
    int shift_ = 0;             // 64 − n
};

}  // namespace penstock::dispatch
