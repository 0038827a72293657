// SPDX-License-Identifier: Apache-2.0
#include "scheduler/clearing.h"

#include <algorithm>

namespace penstock::scheduler {
namespace {

WideInteger work_lost(const Resident& resident) {
    const std::int64_t devices =
        resident.request.accelerator ? resident.request.accelerator->count_milli : 0;
    return WideInteger{resident.unsaved.count()} * std::max<std::int64_t>(devices, 1);
}

// Cheapest first.
auto cost_of(const Resident& resident) {
    return std::tuple(!resident.spot, resident.priority, work_lost(resident), resident.id);
}

class Clearing {
  public:
    Clearing(
        const FairQueue& queue, const Asker& asker, const ReclaimGround& ground, const Place& place,
        const Victims& beside
    )
        : queue_(queue),
          asker_(asker),
          place_(place),
          beside_(beside),
          asked_(asker.of_all ? *asker.of_all : amounts_of(place.request)),
          overlay_(ground.overlay(place.node)) {
        if (const auto found = ground.residents.find(place.node); found != ground.residents.end())
            residents_ = &found->second;
        if (residents_ != nullptr)
            for (const Resident& each : *residents_)
                if (each.leaves) overlay_->leave(each);
        if (const auto found = ground.promised.find(place.node); found != ground.promised.end())
            for (const ResourceRequest& each : found->second) overlay_->take(each);
    }

    std::optional<Cleared> clear(Time now) {
        if (!fits()) {
            for (const Resident* each : may_leave(now)) {
                if (fits()) break;
                stop(*each);
            }
            if (!fits()) return std::nullopt;
            spare();
        }
        Cleared cleared;
        for (const auto& [victim, claim] : victims_) cleared.cost.add(*victim);
        cleared.victims = std::move(victims_);
        cleared.overlay = std::move(overlay_);
        return cleared;
    }

  private:
    bool fits() const { return overlay_->fits(place_.request); }

    std::vector<const Resident*> may_leave(Time now) const {
        std::vector<const Resident*> order;
        if (residents_ == nullptr) return order;
        for (const Resident& each : *residents_)
            if (each.preemptible && !each.leaves && (!each.quiet_until || now >= *each.quiet_until))
                order.push_back(&each);
        std::ranges::sort(order, {}, [](const Resident* each) { return cost_of(*each); });
        return order;
    }

    // What all victims of a resident's side hold. Another organisation answers as a whole.
    Amounts given_up_beside(const Resident& resident) const {
        const bool own = resident.tenant.organisation == asker_.tenant.organisation;
        Amounts part = amounts_of(resident.request);
        for (const Victims* victims : {&beside_, &victims_})
            for (const auto& [victim, claim] : *victims) {
                const bool same_side =
                    own ? victim->tenant == resident.tenant
                        : victim->tenant.organisation == resident.tenant.organisation;
                if (same_side) part.add(amounts_of(victim->request));
            }
        return part;
    }

    void stop(const Resident& resident) {
        const Claim claim =
            claim_on(queue_, asker_, asked_, resident, [&] { return given_up_beside(resident); });
        if (claim == Claim::none) return;
        victims_.emplace_back(&resident, claim);
        overlay_->leave(resident);
    }

    // Who need not leave after all, the dearest first.
    void spare() {
        if (victims_.size() == 1) return;  // it made the room
        for (std::size_t i = victims_.size(); i-- > 0;) {
            const Resident& victim = *victims_[i].first;
            overlay_->stay(victim);
            if (fits())
                victims_.erase(victims_.begin() + static_cast<std::ptrdiff_t>(i));
            else
                overlay_->leave(victim);
        }
    }

    const FairQueue& queue_;
    const Asker& asker_;
    const Place& place_;
    const Victims& beside_;
    Amounts asked_;
    std::unique_ptr<NodeOverlay> overlay_;
    const std::vector<Resident>* residents_ = nullptr;
    Victims victims_;
};

}  // namespace

void ClearingCost::add(const Resident& victim) {
    beyond_spot = beyond_spot || !victim.spot;
    priority = std::max(priority, victim.priority);
    lost += work_lost(victim);
}

void ClearingCost::add(const ClearingCost& other) {
    beyond_spot = beyond_spot || other.beyond_spot;
    priority = std::max(priority, other.priority);
    lost += other.lost;
}

std::optional<Cleared> clear_place(
    const FairQueue& queue, const Asker& asker, const ReclaimGround& ground, const Place& place,
    Time now, const Victims& beside
) {
    return Clearing(queue, asker, ground, place, beside).clear(now);
}

}  // namespace penstock::scheduler
