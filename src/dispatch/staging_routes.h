// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>

#include "model/site.h"
#include "scheduler/outlook.h"

namespace penstock::dispatch {

// How staged bytes come from the site they lie at to each other one, as far as that site states it.
// A value; what it gives is borrowed from it.
class StagingRoutes {
  public:
    explicit StagingRoutes(const std::optional<SiteSpec>& source);
    const scheduler::Route* to(const Site& site) const;  // null: unknown

  private:
    std::map<std::string, scheduler::Route> routes_;  // by the name of the site
};

}  // namespace penstock::dispatch
