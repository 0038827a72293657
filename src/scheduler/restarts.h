// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/plan.h"
#include "model/restarts.h"
#include "model/task_spec.h"

// How often work has to start again at a site, from what was measured there; and what is expected
// of it for a candidate (terms.h).
namespace penstock::scheduler {

// A rate is known from so many restarts, or from so much running time whatever happened in it.
// Before that nothing is said: two quiet hours tell nothing of a month.
constexpr std::int64_t kRestartsKnownFrom = 3;
constexpr Duration kRunningKnownFrom = 24h;
constexpr std::size_t kRestartRunsMax = 500;         // the newest of one kind of work, which count
constexpr std::size_t kRestartHistoriesMax = 2'000;  // kinds; what comes later is not counted

WorkClass work_class_of(const TaskSpec& spec);
// "cpu", or the model of its accelerator.
std::string sku_of(const ResourceRequest& request);

// Of one site, by SKU and class.
using SiteRestarts = std::map<std::pair<std::string, WorkClass>, RestartHistory>;
// nullopt: unknown, or too little is known. `restarts` may be null.
std::optional<RestartRate> restart_rate(
    const SiteRestarts* restarts, const ResourceRequest& request, WorkClass work
);

// What one run tells when it ends.
struct EndedRun {
    SiteId site_id;
    std::string sku;
    WorkClass work = WorkClass::ordinary;
    bool restarts = false;  // it did not end of its own, and starts again
    Duration running{};
};

// Counts the newest runs of each kind. A value: made anew from the same runs in the same order it
// is the same.
class RestartBook {
  public:
    // Null: it is of a kind more than are kept.
    const RestartHistory* add(const EndedRun& run);

  private:
    struct Runs {
        RestartHistory sum;
        std::deque<std::pair<bool, std::int64_t>> newest;  // restarts; running, ms
    };
    std::map<std::tuple<SiteId, std::string, WorkClass>, Runs> runs_;
};

}  // namespace penstock::scheduler
