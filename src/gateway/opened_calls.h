// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "io/after_handler.h"

namespace penstock::gateway {

class Call;

// Calls that were dispatched and are not in the spool yet. They are written when the handler that
// dispatched them has asked the engine or waits for something else, so that the engine works
// meanwhile, and in any case before the client is told the id of its call.
class OpenedCalls {
  public:
    explicit OpenedCalls(io::Executor executor);
    void add(Call& call);
    // It was written otherwise, or has ended.
    void remove(const Call& call);

  private:
    void write();
    std::vector<Call*> calls_;
    io::AfterHandler writing_;
};

}  // namespace penstock::gateway
