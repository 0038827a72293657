// SPDX-License-Identifier: Apache-2.0
#include "dispatch/host_overlay.h"

namespace penstock::dispatch {

HostOverlay::HostOverlay(const Host& host, const std::vector<AttemptId>& attempts, const Pool& pool)
    : host_(host),
      attempts_(attempts),
      pool_(pool),
      cpu_free_(host.node().total.cpu_milli - host.held().cpu_milli),
      memory_free_(host.node().total.memory_mib - host.held().memory_mib),
      slots_(host.slots()) {}

void HostOverlay::hold(const fleet::CapacityHold& hold, std::int64_t sign) {
    cpu_free_ -= sign * hold.request.cpu_milli;
    memory_free_ -= sign * hold.request.memory_mib;
    use_devices(slots_, hold, sign);
}

void HostOverlay::leave(const scheduler::Resident& resident) {
    hold(host_.holds().at(attempts_.at(resident.id)), -1);
}

void HostOverlay::stay(const scheduler::Resident& resident) {
    hold(host_.holds().at(attempts_.at(resident.id)), 1);
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
    return pool_.fragments(host_, after, cpu_free_ - request.cpu_milli) -
           pool_.fragments(host_, host_.slots(), cpu_now);
}

}  // namespace penstock::dispatch
