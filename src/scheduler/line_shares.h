// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "base/time.h"
#include "scheduler/fair_queue.h"

namespace penstock::scheduler {

// What lines of batches have been given of idle capacity, by organisation and within it by project,
// with the weights that the queue of tasks has for them. The one that had the least time at places
// for its weight is next. Who had nothing to ask for begins beside the others: time that was not
// asked for is not saved up, and what was had while others asked for nothing is not held against
// one. Pure; one owner.
class LineShares {
  public:
    // All others have weight 1.
    void set_weight(OrganisationId organisation, std::int64_t weight);
    void set_weight(const Tenant& tenant, std::int64_t weight);
    std::int64_t weight_of(OrganisationId organisation) const;
    std::int64_t weight_of(const Tenant& tenant) const;

    // Whose turn it is; `asking` is not empty.
    Tenant next(const std::set<Tenant>& asking) const;
    // `tenant` gets a place for so long. All that ask now are told, whoever is given to.
    void charge(const Tenant& tenant, Duration time, const std::set<Tenant>& asking);
    // Those of `asking` that come before the tenant.
    std::vector<Tenant> ahead_of(const Tenant& tenant, const std::set<Tenant>& asking) const;

  private:
    struct Party {
        std::int64_t had = 0;  // microseconds ÷ weight
        std::int64_t weight = 1;
    };
    struct Organisation : Party {
        std::map<ProjectId, Party> projects;
        std::int64_t begin = 0;  // of its projects
    };
    std::int64_t stand(OrganisationId organisation) const;
    std::int64_t stand(const Tenant& tenant) const;
    std::pair<std::pair<std::int64_t, OrganisationId>, std::pair<std::int64_t, ProjectId>> rank(
        const Tenant& tenant
    ) const;

    std::map<OrganisationId, Organisation> organisations_;
    // Where who asks anew begins: what the least served of those that asked had.
    std::int64_t begin_ = 0;
};

}  // namespace penstock::scheduler
