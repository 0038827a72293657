// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "dispatch/pool.h"
#include "placement/gang.h"
#include "placement/preemption.h"

namespace penstock::dispatch {

// Gangs and preemption are tried out on the placer itself and taken back: what holds is told by the
// fleet once it is committed.

std::optional<GangPick> Pool::pick_gang(
    const GangRequest& gang, const std::vector<const Host*>& avoid
) {
    const std::optional<placement::Request> asked = request_of(gang.request);
    if (!asked || gang.count < 1) return std::nullopt;
    const Result<placement::ShapeId> shape = placer_->intern(*asked);
    CHECK(shape.has_value(), "a ready pool has room for a shape");
    const auto attempt = [&](const std::vector<const Host*>& closed) {
        put_closed(closed, true);
        std::optional<GangPick> picked;
        if (const auto placed =
                placement::place_gang(*placer_, *topology_, {*shape, gang.count, gang.widest})) {
            picked.emplace(placed->level);
            for (const placement::Placement& task : placed->tasks)
                picked->tasks.push_back(pick_of(task));
            for (const placement::Placement& task : placed->tasks) placer_->release(task);
        }
        put_closed(closed, false);
        return picked;
    };
    std::optional<GangPick> picked = attempt(avoid);
    if (!picked || hosts_hold(*picked, gang.request)) return picked;
    // Slices of one node each saw all of its CPU and memory: without such nodes.
    std::vector<const Host*> closed = avoid;
    closed.insert(closed.end(), wide_.begin(), wide_.end());
    return attempt(closed);
}

bool Pool::hosts_hold(const GangPick& gang, const ResourceRequest& each) const {
    std::map<const Host*, std::int64_t> tasks;
    for (const Pick& pick : gang.tasks) ++tasks[pick.host];
    return std::ranges::all_of(tasks, [&](const auto& entry) {
        const auto& [host, count] = entry;
        const Capacity free = host->free();
        return count * each.cpu_milli <= free.cpu_milli &&
               count * each.memory_mib <= free.memory_mib;
    });
}

// Who runs where, as `placement` has it.
struct Pool::Standing {
    placement::Residents residents;
    std::map<placement::ResidentId, AttemptId> attempts;
};

Pool::Standing Pool::standing(const Stoppable& stoppable) {
    Standing standing{.residents = placement::Residents(slices_.size())};
    for (placement::NodeIndex at = 0; at < slices_.size(); ++at) {
        const Slice& slice = slices_[at];
        const Host& host = *slice.host;
        const bool exact = std::ranges::find(wide_, &host) == wide_.end() &&
                           fleet::holds_all(host.node().total, host.held());
        if (!exact) continue;
        for (const auto& [attempt, hold] : host.holds()) {
            const auto terms = stoppable.find(attempt);
            if (terms == stoppable.end()) continue;
            const Result<placement::ShapeId> shape = placer_->intern(part_of(slice, hold));
            if (!shape) continue;  // too many kinds: this one stays
            placement::Placement placed{.shape = *shape, .node = at};
            for (std::size_t i = 0; slice.model && i < host.positions(*slice.model).size(); ++i)
                if (std::ranges::find(hold.devices, host.positions(*slice.model)[i]) !=
                    hold.devices.end())
                    placed.devices |= placement::DeviceMask{1} << i;
            standing.attempts[standing.residents.add(
                {placed, terms->second.priority, terms->second.seconds_lost}
            )] = attempt;
        }
    }
    return standing;
}

std::optional<PreemptionPick> Pool::pick_preemption(
    const GangRequest& gang, std::int32_t priority, const Stoppable& stoppable
) {
    const std::optional<placement::Request> asked = request_of(gang.request);
    if (!asked || gang.count < 1) return std::nullopt;
    const Result<placement::ShapeId> shape = placer_->intern(*asked);
    CHECK(shape.has_value(), "a ready pool has room for a shape");
    put_closed(wide_, true);
    std::optional<PreemptionPick> picked;
    const Standing now = standing(stoppable);
    if (const auto made = placement::preempt(
            *placer_, *topology_, now.residents, {*shape, gang.count, gang.widest}, priority,
            *meter_
        )) {
        picked.emplace(PreemptionPick{
            .gang = {.level = made->level},
            .priority_max = made->priority_max,
            .device_seconds_lost = made->device_seconds_lost
        });
        for (const placement::Placement& task : made->tasks)
            picked->gang.tasks.push_back(pick_of(task));
        for (const placement::ResidentId victim : made->victims)
            picked->victims.push_back(now.attempts.at(victim));
        for (const placement::Placement& task : made->tasks) placer_->release(task);
        for (const placement::ResidentId victim : made->victims)
            placer_->take(now.residents.at(victim).placement);
    }
    put_closed(wide_, false);
    return picked;
}

}  // namespace penstock::dispatch
