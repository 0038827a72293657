// SPDX-License-Identifier: Apache-2.0
#include "dispatch/host_overlay.h"

namespace penstock::dispatch {

HostOverlay::HostOverlay(
    const Host& host, std::size_t place, const Leavable& leavable, const PoolOf& pool_of
)
    : host_(host),
      place_(place),
      pool_of_(pool_of),
      cpu_free_(host.node().total.cpu_milli - host.held().cpu_milli),
      memory_free_(host.node().total.memory_mib - host.held().memory_mib),
      slots_(host.slots()) {
    const std::vector<HeldByAttempt>& holds = host.holds();
    for (const HeldByAttempt& each : holds) leavable.fetch(each.attempt);
    residents_.reserve(holds.size());
    for (std::size_t i = 0; i < holds.size(); ++i) {
        const Leavable::Entry* found = leavable.find(holds[i].attempt);
        if (found == nullptr) continue;
        const LeavableWork* work = found->work;
        residents_.push_back(
            {.id = resident_id(place, i),
             .tenant = {work->organisation_id, work->project_id},
             .request = &holds[i].hold.request,
             .priority = work->priority,
             .preemptible = true,
             .spot = work->spot,
             .unsaved = found->unsaved,
             .quiet_until = work->quiet_until,
             .leaves = work->leaves}
        );
    }
}

void HostOverlay::hold(const fleet::CapacityHold& hold, std::int64_t sign) {
    cpu_free_ -= sign * hold.request.cpu_milli;
    memory_free_ -= sign * hold.request.memory_mib;
    use_devices(slots_, hold, sign);
}

void HostOverlay::leave(const scheduler::Resident& resident) {
    hold(host_.holds().at(hold_of(resident.id)).hold, -1);
}

void HostOverlay::stay(const scheduler::Resident& resident) {
    hold(host_.holds().at(hold_of(resident.id)).hold, 1);
}

void HostOverlay::take(const ResourceRequest& request) {
    fleet::CapacityHold taken{host_.node().id, request, {}};
    if (request.accelerator) taken.devices = host_.choose(*request.accelerator, slots_);
    hold(taken, 1);
}

bool HostOverlay::fits(const ResourceRequest& request) const {
    if (request.cpu_milli > cpu_free_ || request.memory_mib > memory_free_) return false;
    return !request.accelerator ||
           host_.usable_milli(*request.accelerator, request.linked, slots_) >=
               request.accelerator->count_milli;
}

std::int64_t HostOverlay::fragments_grown(const ResourceRequest& request) const {
    fleet::CapacityHold taken{host_.node().id, request, {}};
    DeviceSlots after = slots_;
    if (request.accelerator) taken.devices = host_.choose(*request.accelerator, after);
    use_devices(after, taken, 1);
    const std::int64_t cpu_now = host_.node().total.cpu_milli - host_.held().cpu_milli;
    const Pool& pool = pool_of_(place_);
    return pool.fragments(host_, after, cpu_free_ - request.cpu_milli) -
           pool.fragments(host_, host_.slots(), cpu_now);
}

}  // namespace penstock::dispatch
