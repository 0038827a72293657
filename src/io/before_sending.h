// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "io/task.h"

namespace penstock::io {

// Work that must be done before anything more is sent, and that is cheaper done once for many
// causes: what a log is told, since nobody may be told of what is not in it. It is done when a
// stream of the same loop is about to send, at the end of the loop's turn at the latest.
class BeforeSending {
  public:
    BeforeSending(const Executor& executor, std::move_only_function<void()> work);
    ~BeforeSending();
    BeforeSending(const BeforeSending&) = delete;
    BeforeSending& operator=(const BeforeSending&) = delete;

    // Once, however often it is asked for until then.
    void ask();
    // It has been done.
    void take_back();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penstock::io
