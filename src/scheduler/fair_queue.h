// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "model/ids.h"
#include "model/plan.h"

// Whose item is next: dominant resource fairness over organisations, and within each over its
// projects.
namespace penstock::scheduler {

constexpr std::int64_t kShareOne = 1'000'000'000;  // all of a resource

struct Tenant {
    OrganisationId organisation;
    ProjectId project;
    auto operator<=>(const Tenant&) const = default;
};

// CPU, memory and devices of any model, in thousandths and MiB.
using Amounts = std::array<std::int64_t, 3>;
Amounts amounts_of(const ResourceRequest& request);
Amounts amounts_of(const Capacity& capacity);
// The largest share of a resource, in parts of kShareOne; what nobody has any of does not count.
std::int64_t dominant_share(const Amounts& used, const Amounts& total);

// The organisation with the least dominant share that has items comes next, in it the project with
// the least, in it the item that was added first. Equal shares: the smaller id, which is the older.
class FairQueue {
  public:
    explicit FairQueue(const Amounts& total) : total_(total) {}
    // What the tenant holds, or has just been given.
    void charge(const Tenant& tenant, const Amounts& amounts);
    void add(const Tenant& tenant, std::size_t item);
    std::optional<std::size_t> pop();

  private:
    template <class Id>
    struct Party {
        Amounts used{};
        std::int64_t share = 0;
        std::size_t items = 0;
    };
    template <class Id>
    struct Level {
        std::map<Id, Party<Id>> parties;
        std::set<std::pair<std::int64_t, Id>> ready;  // those with items, by share

        void charge(Id id, const Amounts& amounts, const Amounts& total);
        void add(Id id);
        void remove(Id id);
    };
    Amounts total_;
    Level<OrganisationId> organisations_;
    std::map<OrganisationId, Level<ProjectId>> projects_;
    std::map<Tenant, std::deque<std::size_t>> items_;
};

}  // namespace penstock::scheduler
