// SPDX-License-Identifier: Apache-2.0
#include "sim/caller_book.h"

#include "base/check.h"

namespace penstock::sim {

CallerBook::CallerBook(const ServeSites& sites, Time now)
    : sites_(sites),
      service_(RawId{1, 1}),
      uses_(sites.callers.size(), ServiceUse{.task_id = service_}) {
    report(now);  // counting begins with the first report of each gateway
}

void CallerBook::arrived(std::size_t region) {
    ++uses_[region].calls_arrived;
    ++uses_[region].calls_in_flight;
}

void CallerBook::done(std::size_t region) { --uses_[region].calls_in_flight; }

void CallerBook::report(Time now) {
    for (std::size_t i = 0; i < uses_.size(); ++i) {
        const Result<void> taken = book_.report(
            {.replica = sites_.callers[i].region,
             .run = RunId(RawId{1, 1}),
             .region = sites_.callers[i].region,
             .routes_version = 0,
             .services = {uses_[i]},
             .leaving = {}},
            now
        );
        CHECK(taken.has_value(), "names and their number were checked when the links were read");
    }
}

std::vector<CallerShare> CallerBook::shares(Time now) const {
    std::vector<CallerShare> known = book_.callers(service_, now);
    return known.empty() ? sites_.callers : known;
}

}  // namespace penstock::sim
