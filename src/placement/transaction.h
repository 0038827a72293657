// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "placement/placer.h"

namespace penstock::placement {

// Changes to a placer that hold together or not at all: what was not committed is undone, last
// first, when the transaction ends. Borrows the placer; nobody else changes it meanwhile.
class Transaction {
  public:
    explicit Transaction(Placer& placer) : placer_(placer) {}
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction() { roll_back(); }

    void take(const Placement& placement) {
        placer_.take(placement);
        changes_.push_back({placement, true});
    }
    void release(const Placement& placement) {
        placer_.release(placement);
        changes_.push_back({placement, false});
    }
    void commit() { changes_.clear(); }
    void roll_back() {
        for (; !changes_.empty(); changes_.pop_back()) {
            const Change& last = changes_.back();
            if (last.taken)
                placer_.release(last.placement);
            else
                placer_.take(last.placement);
        }
    }
    // The nodes touched so far, each once, rising.
    std::vector<NodeIndex> touched() const;

  private:
    struct Change {
        Placement placement;
        bool taken = false;
    };
    Placer& placer_;
    std::vector<Change> changes_;
};

}  // namespace penstock::placement
