// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "base/time.h"
#include "io/event.h"

// Internal to src/http.
namespace penstock::http {

class Connection;

// Connections whose handlers wait while their clients may go. Looking for that costs a system call
// and an operation of the loop, so it begins only where a handler still waits after a while: most
// are done before, and a client that goes is noticed that much later.
class Departures {
  public:
    static constexpr Duration kLookAfter = 20ms;  // at the latest

    explicit Departures(io::Executor executor) : added_(std::move(executor)) {}

    // A connection is in the list once at most, and leaves it before it goes away.
    void add(Connection* connection);
    void remove(Connection* connection);
    // Until cancelled.
    io::Task<> look_forever();

    // Where a connection stands in the list.
    static constexpr std::size_t kNowhere = SIZE_MAX;

  private:
    std::vector<Connection*> waiting_;
    io::Event added_;
};

}  // namespace penstock::http
