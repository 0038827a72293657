// SPDX-License-Identifier: Apache-2.0
#include "scheduler/amounts.h"

#include <algorithm>

namespace penstock::scheduler {

void Amounts::add(const Amounts& other, std::int64_t sign) {
    cpu_milli += sign * other.cpu_milli;
    memory_mib += sign * other.memory_mib;
    devices_milli += sign * other.devices_milli;
    for (const auto& [model, milli] : other.models) models[model] += sign * milli;
}

std::int64_t Amounts::of_model(const std::string& model) const {
    const auto found = models.find(model);
    return found == models.end() ? 0 : found->second;
}

Amounts amounts_of(const ResourceRequest& request) {
    Amounts amounts{.cpu_milli = request.cpu_milli, .memory_mib = request.memory_mib};
    if (!request.accelerator) return amounts;
    amounts.devices_milli = request.accelerator->count_milli;
    amounts.models[request.accelerator->model] = request.accelerator->count_milli;
    return amounts;
}

Amounts amounts_of(const Capacity& capacity) {
    Amounts amounts{
        .cpu_milli = capacity.cpu_milli,
        .memory_mib = capacity.memory_mib,
        .models = capacity.accelerator_milli
    };
    for (const auto& [model, milli] : capacity.accelerator_milli) amounts.devices_milli += milli;
    return amounts;
}

std::int64_t share_of(std::int64_t used, std::int64_t total) {
    // used × kShareOne does not fit into 64 bits for the memory of a large platform.
    __extension__ using Wide = __int128;
    return total <= 0 ? 0 : static_cast<std::int64_t>(Wide{used} * kShareOne / total);
}

std::int64_t dominant_share(const Amounts& used, const Amounts& total) {
    return std::max(
        {share_of(used.cpu_milli, total.cpu_milli), share_of(used.memory_mib, total.memory_mib),
         share_of(used.devices_milli, total.devices_milli)}
    );
}

}  // namespace penstock::scheduler
