// SPDX-License-Identifier: Apache-2.0
#include "scheduler/fair_queue.h"

#include <algorithm>

namespace penstock::scheduler {
namespace {

// used × kShareOne does not fit into 64 bits for the memory of a large platform.
__extension__ using Wide = __int128;

}  // namespace

Amounts amounts_of(const ResourceRequest& request) {
    return {
        request.cpu_milli, request.memory_mib,
        request.accelerator ? request.accelerator->count_milli : 0
    };
}

Amounts amounts_of(const Capacity& capacity) {
    Amounts amounts{capacity.cpu_milli, capacity.memory_mib, 0};
    for (const auto& [model, milli] : capacity.accelerator_milli) amounts[2] += milli;
    return amounts;
}

std::int64_t dominant_share(const Amounts& used, const Amounts& total) {
    std::int64_t most = 0;
    for (std::size_t i = 0; i < used.size(); ++i)
        if (total.at(i) > 0)
            most = std::max(
                most, static_cast<std::int64_t>(Wide{used.at(i)} * kShareOne / total.at(i))
            );
    return most;
}

template <class Id>
void FairQueue::Level<Id>::charge(Id id, const Amounts& amounts, const Amounts& total) {
    Party<Id>& party = parties[id];
    const bool waits = ready.erase({party.share, id}) > 0;
    for (std::size_t i = 0; i < amounts.size(); ++i) party.used.at(i) += amounts.at(i);
    party.share = dominant_share(party.used, total);
    if (waits) ready.emplace(party.share, id);
}

template <class Id>
void FairQueue::Level<Id>::add(Id id) {
    Party<Id>& party = parties[id];
    if (++party.items == 1) ready.emplace(party.share, id);
}

template <class Id>
void FairQueue::Level<Id>::remove(Id id) {
    Party<Id>& party = parties[id];
    if (--party.items == 0) ready.erase({party.share, id});
}

void FairQueue::charge(const Tenant& tenant, const Amounts& amounts) {
    organisations_.charge(tenant.organisation, amounts, total_);
    projects_[tenant.organisation].charge(tenant.project, amounts, total_);
}

void FairQueue::add(const Tenant& tenant, std::size_t item) {
    organisations_.add(tenant.organisation);
    projects_[tenant.organisation].add(tenant.project);
    items_[tenant].push_back(item);
}

std::optional<std::size_t> FairQueue::pop() {
    if (organisations_.ready.empty()) return std::nullopt;
    const OrganisationId organisation = organisations_.ready.begin()->second;
    Level<ProjectId>& projects = projects_[organisation];
    const ProjectId project = projects.ready.begin()->second;
    std::deque<std::size_t>& items = items_[{organisation, project}];
    const std::size_t item = items.front();
    items.pop_front();
    organisations_.remove(organisation);
    projects.remove(project);
    return item;
}

}  // namespace penstock::scheduler
