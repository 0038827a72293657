// SPDX-License-Identifier: Apache-2.0
#include "scheduler/fair_queue.h"

#include <algorithm>

namespace penstock::scheduler {

void FairQueue::set_quota(OrganisationId organisation, ComputeQuota quota) {
    organisations_[organisation].quota = std::move(quota);
    for (const auto& [id, project] : organisations_[organisation].projects)
        refresh({organisation, id});
}

void FairQueue::set_quota(const Tenant& tenant, ComputeQuota quota) {
    organisations_[tenant.organisation].projects[tenant.project].quota = std::move(quota);
    refresh(tenant);
}

void FairQueue::add(const Tenant& tenant, std::size_t item, Amounts asked) {
    Project& project = organisations_[tenant.organisation].projects[tenant.project];
    project.items.push_back({item, std::move(asked)});
    if (project.items.size() == 1) refresh(tenant);
}

std::optional<std::size_t> FairQueue::pop() {
    if (ready_.empty()) return std::nullopt;
    const OrganisationId organisation = ready_.begin()->second;
    const Tenant tenant{organisation, organisations_[organisation].ready.begin()->second};
    std::deque<Item>& items = organisations_[organisation].projects[tenant.project].items;
    const std::size_t item = items.front().index;
    items.pop_front();
    refresh(tenant);
    return item;
}

std::optional<TenantLimit> FairQueue::blocked(const Tenant& tenant, const Amounts& asked) const {
    if (const Organisation* found = find(tenant.organisation))
        if (const auto hit = limit_hit(found->quota, found->used, asked))
            return TenantLimit{TenantLevel::organisation, *hit};
    if (const Project* found = find(tenant))
        if (const auto hit = limit_hit(found->quota, found->used, asked))
            return TenantLimit{TenantLevel::project, *hit};
    return std::nullopt;
}

bool FairQueue::is_due(const Tenant& tenant, const Amounts& asked, const Tenant& holder) const {
    if (tenant == holder) return false;
    const bool own = tenant.organisation == holder.organisation;
    const Party* owner = own ? static_cast<const Party*>(find(tenant)) : find(tenant.organisation);
    return owner != nullptr && is_covered(owner->quota, owner->used, asked);
}

bool FairQueue::is_lent(const Tenant& tenant, const Tenant& holder, const Amounts& part) const {
    const bool own = tenant.organisation == holder.organisation;
    const Party* lent = own ? static_cast<const Party*>(find(holder)) : find(holder.organisation);
    return lent != nullptr && is_borrowed(lent->quota, lent->used, part);
}

Amounts FairQueue::used(const Tenant& tenant) const {
    const Project* found = find(tenant);
    return found == nullptr ? Amounts{} : found->used;
}

Amounts FairQueue::used(OrganisationId organisation) const {
    const Organisation* found = find(organisation);
    return found == nullptr ? Amounts{} : found->used;
}

std::vector<TenantStand> FairQueue::stands() const {
    std::vector<TenantStand> stands;
    const auto capacity_of = [](const Amounts& amounts) {
        return Capacity{amounts.cpu_milli, amounts.memory_mib, amounts.models};
    };
    for (const auto& [id, organisation] : organisations_) {
        stands.push_back({.organisation_id = id, .quota = organisation.quota});
        for (const auto& [project_id, project] : organisation.projects)
            stands.push_back({id, project_id, project.quota, capacity_of(project.used)});
    }
    return stands;
}

FairQueue FairQueue::of(Amounts total, const std::vector<TenantStand>& stands) {
    FairQueue queue(std::move(total));
    for (const TenantStand& stand : stands) {
        if (!stand.project_id) {
            queue.set_quota(stand.organisation_id, stand.quota);
            continue;
        }
        const Tenant tenant{stand.organisation_id, *stand.project_id};
        queue.set_quota(tenant, stand.quota);
        queue.charge(tenant, amounts_of(stand.used));
    }
    return queue;
}

FairQueue::Rank FairQueue::rank_of(const Party& party, const Amounts& asked) const {
    if (is_covered(party.quota, party.used, asked))
        return {false, guarantee_share(party.quota, party.used)};
    return {true, dominant_share(party.used, total_) / party.quota.weight};
}

void FairQueue::hold(const Tenant& tenant, const Amounts& amounts, std::int64_t sign) {
    Organisation& organisation = organisations_[tenant.organisation];
    organisation.used.add(amounts, sign);
    organisation.projects[tenant.project].used.add(amounts, sign);
    refresh(tenant);
}

void FairQueue::refresh(const Tenant& tenant) {
    Organisation& organisation = organisations_[tenant.organisation];
    Project& project = organisation.projects[tenant.project];
    if (project.rank) organisation.ready.erase({*project.rank, tenant.project});
    project.rank.reset();
    if (!project.items.empty()) {
        project.rank = rank_of(project, project.items.front().asked);
        organisation.ready.emplace(*project.rank, tenant.project);
    }
    if (organisation.rank) ready_.erase({*organisation.rank, tenant.organisation});
    organisation.rank.reset();
    if (organisation.ready.empty()) return;
    const Project& first = organisation.projects[organisation.ready.begin()->second];
    organisation.rank = rank_of(organisation, first.items.front().asked);
    ready_.emplace(*organisation.rank, tenant.organisation);
}

const FairQueue::Organisation* FairQueue::find(OrganisationId organisation) const {
    const auto found = organisations_.find(organisation);
    return found == organisations_.end() ? nullptr : &found->second;
}

const FairQueue::Project* FairQueue::find(const Tenant& tenant) const {
    const Organisation* organisation = find(tenant.organisation);
    if (organisation == nullptr) return nullptr;
    const auto found = organisation->projects.find(tenant.project);
    return found == organisation->projects.end() ? nullptr : &found->second;
}

}  // namespace penstock::scheduler
