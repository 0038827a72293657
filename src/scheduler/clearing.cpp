// SPDX-License-Identifier: Apache-2.0
#include "scheduler/clearing.h"

#include <algorithm>
#include <array>

namespace penstock::scheduler {
namespace {

WideInteger work_lost(const Resident& resident) {
    const std::optional<Accelerator>& devices = resident.request->accelerator;
    return WideInteger{resident.unsaved.count()} *
           std::max<std::int64_t>(devices ? devices->count_milli : 0, 1);
}

// One who may leave; the cheapest first.
struct Leaver {
    bool beyond_spot = false;
    std::int64_t priority = 0;
    WideInteger lost = 0;
    std::uint64_t id = 0;
    const Resident* resident = nullptr;
    bool operator<(const Leaver& other) const {
        if (beyond_spot != other.beyond_spot) return !beyond_spot;
        if (priority != other.priority) return priority < other.priority;
        return lost != other.lost ? lost < other.lost : id < other.id;
    }
};

class Clearing {
  public:
    Clearing(
        const FairQueue& queue, const Asker& asker, const ReclaimGround& ground, std::size_t place,
        const Victims& beside
    )
        : queue_(queue),
          asker_(asker),
          place_(ground.places[place]),
          beside_(beside),
          overlay_(ground.overlay(place)) {
        for (const Resident& each : overlay_->residents())
            if (each.leaves) overlay_->leave(each);
        if (ground.promised.empty()) return;
        if (const auto found = ground.promised.find(place_.node); found != ground.promised.end())
            for (const ResourceRequest& each : found->second) overlay_->take(each);
    }

    std::optional<Cleared> clear(Time now) {
        if (!fits()) {
            bool has_room = false;
            for (const Leaver& each : may_leave(now)) {
                if (!stop(*each.resident)) continue;
                has_room = fits();
                if (has_room) break;
            }
            if (!has_room) return std::nullopt;
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

    std::vector<Leaver> may_leave(Time now) const {
        std::vector<Leaver> order;
        order.reserve(overlay_->residents().size());
        for (const Resident& each : overlay_->residents())
            if (each.preemptible && !each.leaves && (!each.quiet_until || now >= *each.quiet_until))
                order.push_back({!each.spot, each.priority, work_lost(each), each.id, &each});
        std::ranges::sort(order, std::less<>());
        return order;
    }

    // What all victims of a resident's side hold. Another organisation answers as a whole.
    Amounts given_up_beside(const Resident& resident) const {
        const bool own = resident.tenant.organisation == asker_.tenant.organisation;
        Amounts part = amounts_of(*resident.request);
        for (const Victims* victims : {&beside_, &victims_})
            for (const auto& [victim, claim] : *victims) {
                const bool same_side =
                    own ? victim->tenant == resident.tenant
                        : victim->tenant.organisation == resident.tenant.organisation;
                if (same_side) part.add(amounts_of(*victim->request));
            }
        return part;
    }

    // Whether the asker's guarantee covers what it asks: one answer for other projects of its
    // organisation, one for other organisations.
    bool is_due(const Tenant& holder) {
        if (holder == asker_.tenant) return false;
        std::optional<bool>& due = due_[holder.organisation == asker_.tenant.organisation ? 0 : 1];
        if (!due)
            due = queue_.is_due(
                asker_.tenant, asker_.of_all ? *asker_.of_all : amounts_of(place_.request), holder
            );
        return *due;
    }

    // Whether it leaves: by a claim of the asker's.
    bool stop(const Resident& resident) {
        const Claim claim = claim_on(asker_, resident, [&] {
            return is_due(resident.tenant) &&
                   queue_.is_lent(asker_.tenant, resident.tenant, given_up_beside(resident));
        });
        if (claim == Claim::none) return false;
        victims_.emplace_back(&resident, claim);
        overlay_->leave(resident);
        return true;
    }

    // Who need not leave after all, the dearest first.
    void spare() {
        // The last one made the room.
        for (std::size_t i = victims_.size() - 1; i-- > 0;) {
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
    std::array<std::optional<bool>, 2> due_;
    std::unique_ptr<NodeOverlay> overlay_;
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
    const FairQueue& queue, const Asker& asker, const ReclaimGround& ground, std::size_t place,
    Time now, const Victims& beside
) {
    return Clearing(queue, asker, ground, place, beside).clear(now);
}

}  // namespace penstock::scheduler
