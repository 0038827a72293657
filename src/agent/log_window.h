// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>

#include "agent/attempt_record.h"

namespace penstock::agent {

// Where an attempt's log stands between this node and the server. Lines are read in chunks and sent
// in order, a few chunks ahead of what the server has stored; the server's answers tell where to go
// on, also when one of the two has forgotten something. Pure; one per attempt and session.
class LogWindow {
  public:
    static constexpr std::size_t kChunksInFlightMax = 4;

    explicit LogWindow(LogPosition stored) : stored_(stored), sent_(stored) {}

    bool full() const { return in_flight_.size() >= kChunksInFlightMax; }
    // Where the next chunk is read from.
    LogPosition next() const { return sent_; }
    // How many of the `lines` lines at next() the server has already.
    std::int64_t known(std::int64_t lines) const;
    // A chunk that ends there was sent, or skipped because the server has all of it.
    void passed(LogPosition end);
    // The server has stored every line below `line`.
    void acknowledged(std::int64_t line);

    LogPosition stored() const { return stored_; }
    bool drained() const { return in_flight_.empty(); }

  private:
    LogPosition stored_;
    LogPosition sent_;
    std::deque<LogPosition> in_flight_;  // ends of chunks
    std::int64_t server_has_ = 0;
};

}  // namespace penstock::agent
