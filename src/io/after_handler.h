// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "io/task.h"

namespace penstock::io {

// Work that somebody's next step need not wait for: done when the handler that asks for it has come
// to its first wait, and those that were ready by then. Not done any more when this is destroyed.
class AfterHandler {
  public:
    AfterHandler(Executor executor, std::move_only_function<void()> work);
    ~AfterHandler();
    AfterHandler(const AfterHandler&) = delete;
    AfterHandler& operator=(const AfterHandler&) = delete;

    // Once, however often it is asked for until then.
    void ask();

  private:
    struct State;
    Executor executor_;
    std::shared_ptr<State> state_;
};

}  // namespace penstock::io
