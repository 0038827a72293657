// SPDX-License-Identifier: Apache-2.0
#include "scheduler/line_shares.h"

#include <algorithm>

namespace penstock::scheduler {

void LineShares::set_weight(OrganisationId organisation, std::int64_t weight) {
    organisations_[organisation].weight = std::max<std::int64_t>(1, weight);
}

void LineShares::set_weight(const Tenant& tenant, std::int64_t weight) {
    organisations_[tenant.organisation].projects[tenant.project].weight =
        std::max<std::int64_t>(1, weight);
}

std::int64_t LineShares::weight_of(OrganisationId organisation) const {
    const auto found = organisations_.find(organisation);
    return found == organisations_.end() ? 1 : found->second.weight;
}

std::int64_t LineShares::weight_of(const Tenant& tenant) const {
    const auto found = organisations_.find(tenant.organisation);
    if (found == organisations_.end()) return 1;
    const auto project = found->second.projects.find(tenant.project);
    return project == found->second.projects.end() ? 1 : project->second.weight;
}

std::int64_t LineShares::stand(OrganisationId organisation) const {
    const auto found = organisations_.find(organisation);
    const std::int64_t had = found == organisations_.end() ? 0 : found->second.had;
    return std::max(had, begin_);
}

std::int64_t LineShares::stand(const Tenant& tenant) const {
    const auto found = organisations_.find(tenant.organisation);
    if (found == organisations_.end()) return 0;
    const auto project = found->second.projects.find(tenant.project);
    const std::int64_t had = project == found->second.projects.end() ? 0 : project->second.had;
    return std::max(had, found->second.begin);
}

std::pair<std::pair<std::int64_t, OrganisationId>, std::pair<std::int64_t, ProjectId>>
LineShares::rank(const Tenant& tenant) const {
    return {{stand(tenant.organisation), tenant.organisation}, {stand(tenant), tenant.project}};
}

Tenant LineShares::next(const std::set<Tenant>& asking) const {
    return *std::ranges::min_element(asking, {}, [&](const Tenant& one) { return rank(one); });
}

std::vector<Tenant> LineShares::ahead_of(const Tenant& tenant, const std::set<Tenant>& asking)
    const {
    std::vector<Tenant> ahead;
    for (const Tenant& one : asking)
        if (rank(one) < rank(tenant)) ahead.push_back(one);
    return ahead;
}

void LineShares::charge(const Tenant& tenant, Duration time, const std::set<Tenant>& asking) {
    std::int64_t least = stand(tenant.organisation);
    std::int64_t least_project = stand(tenant);
    for (const Tenant& one : asking) {
        least = std::min(least, stand(one.organisation));
        if (one.organisation == tenant.organisation)
            least_project = std::min(least_project, stand(one));
    }
    Organisation& organisation = organisations_[tenant.organisation];
    Party& project = organisation.projects[tenant.project];
    const auto add = [time](Party& party, std::int64_t from) {
        party.had = from + std::max<std::int64_t>(1, time.count() / party.weight);
    };
    add(organisation, stand(tenant.organisation));
    add(project, stand(tenant));
    begin_ = std::max(begin_, least);
    organisation.begin = std::max(organisation.begin, least_project);
}

}  // namespace penstock::scheduler
