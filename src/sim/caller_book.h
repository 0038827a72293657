// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "sim/serve_sites.h"
#include "tasks/load_book.h"

namespace penstock::sim {

// Where the calls of a simulated service come from, as the server knows it: a gateway in every
// region reports its sums to the server's own book. One run owns it.
class CallerBook {
  public:
    CallerBook(const ServeSites& sites, Time now);
    void arrived(std::size_t region);
    void done(std::size_t region);
    void report(Time now);
    // Until the first call is known, what its owner expects: the shares of the sites.
    std::vector<CallerShare> shares(Time now) const;

  private:
    const ServeSites& sites_;
    TaskId service_;
    std::vector<ServiceUse> uses_;  // by region
    tasks::LoadBook book_;
};

}  // namespace penstock::sim
