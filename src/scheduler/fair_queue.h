// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "model/decision.h"
#include "model/ids.h"
#include "scheduler/tenant_quota.h"

// Whose item is next: dominant resource fairness over organisations, and within each over its
// projects, with guarantees, limits and weights.
namespace penstock::scheduler {

struct Tenant {
    OrganisationId organisation;
    ProjectId project;
    auto operator<=>(const Tenant&) const = default;
};

enum class TenantLevel : std::uint8_t { organisation, project };
struct TenantLimit {
    TenantLevel level{};
    LimitHit hit;
    bool operator==(const TenantLimit&) const = default;
};

// First come organisations whose next item is covered by their guarantee, the one with the least
// used part of it before the others; then all others by dominant share ÷ weight. Their projects
// stand in the same order within, and a project's items as they were added. Equal tenants: the
// smaller id, which is the older. What is added may be asked for with pop() although a limit
// forbids it: ask blocked() then.
class FairQueue {
  public:
    explicit FairQueue(Amounts total) : total_(std::move(total)) {}
    void set_quota(OrganisationId organisation, ComputeQuota quota);
    void set_quota(const Tenant& tenant, ComputeQuota quota);  // of the project
    // What the tenant holds, or has just been given; and gave back.
    void charge(const Tenant& tenant, const Amounts& amounts) { hold(tenant, amounts, 1); }
    void release(const Tenant& tenant, const Amounts& amounts) { hold(tenant, amounts, -1); }
    void add(const Tenant& tenant, std::size_t item, Amounts asked);
    std::optional<std::size_t> pop();

    // The limit that `asked` would pass, the organisation's first.
    std::optional<TenantLimit> blocked(const Tenant& tenant, const Amounts& asked) const;
    // Whether `asked` is the tenant's own by a guarantee, and `part` of what `holder` has is lent
    // from it: of another organisation beyond its guarantee, or of another project of the same.
    bool may_reclaim(
        const Tenant& tenant, const Amounts& asked, const Tenant& holder, const Amounts& part
    ) const {
        return is_due(tenant, asked, holder) && is_lent(tenant, holder, part);
    }
    // The two halves of it: the first is the same for all holders of one organisation but the
    // tenant itself, and for all of the others.
    bool is_due(const Tenant& tenant, const Amounts& asked, const Tenant& holder) const;
    bool is_lent(const Tenant& tenant, const Tenant& holder, const Amounts& part) const;
    Amounts used(const Tenant& tenant) const;  // by the project
    Amounts used(OrganisationId organisation) const;
    // Quotas, and what every project holds: what another queue is the same of, but for its items.
    std::vector<TenantStand> stands() const;
    static FairQueue of(Amounts total, const std::vector<TenantStand>& stands);

  private:
    // Rank of who is next: not covered by a guarantee, share.
    using Rank = std::pair<bool, std::int64_t>;
    struct Item {
        std::size_t index = 0;
        Amounts asked;
    };
    struct Party {
        ComputeQuota quota;
        Amounts used;
        std::optional<Rank> rank;  // while it has items
    };
    struct Project : Party {
        std::deque<Item> items;
    };
    struct Organisation : Party {
        std::map<ProjectId, Project> projects;
        std::set<std::pair<Rank, ProjectId>> ready;
    };
    Rank rank_of(const Party& party, const Amounts& asked) const;
    void hold(const Tenant& tenant, const Amounts& amounts, std::int64_t sign);
    // Puts the project and its organisation where they belong now.
    void refresh(const Tenant& tenant);
    const Organisation* find(OrganisationId organisation) const;
    const Project* find(const Tenant& tenant) const;

    Amounts total_;
    std::map<OrganisationId, Organisation> organisations_;
    std::set<std::pair<Rank, OrganisationId>> ready_;
};

}  // namespace penstock::scheduler
