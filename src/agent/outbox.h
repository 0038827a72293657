// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "model/agent_protocol.h"

namespace penstock::agent {

// The order in which reports go to the server. A report is numbered when it is made, and may be
// sent when it is on disk and so is every one with a lower number: the server acknowledges
// "everything up to n", so a number below n must never appear later. The reports' own home is the
// record of their attempt. Pure.
class Outbox {
  public:
    // `highest`: no report above it was ever numbered.
    explicit Outbox(std::int64_t highest) : highest_(highest) {}

    // The number of a new report.
    std::int64_t number();
    // It is on disk now.
    void durable(const AttemptReport& report);
    // It will never be sent: another one took its place.
    void drop(std::int64_t seq);
    // Forgets everything up to `seq`.
    void acknowledge(std::int64_t seq);
    // The next report to send after `seq`, in order.
    const AttemptReport* next_after(std::int64_t seq) const;

    std::int64_t highest() const { return highest_; }
    // Numbers of new reports are above `seq` from now on.
    void skip_to(std::int64_t seq);
    std::size_t size() const { return reports_.size() + making_.size(); }

  private:
    std::int64_t highest_;
    std::set<std::int64_t> making_;                  // numbered, not durable
    std::map<std::int64_t, AttemptReport> reports_;  // durable, not acknowledged
};

}  // namespace penstock::agent
