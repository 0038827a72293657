// SPDX-License-Identifier: Apache-2.0
#include "scheduler/tenant_quota.h"

#include <algorithm>

namespace penstock::scheduler {
namespace {

constexpr std::int64_t kMilli = 1000;
constexpr std::int64_t kMibPerGib = 1024;

// Calls `use` with name, amount stated, amount held and amount asked of every resource that is
// stated.
template <class Use>
void each_stated(const ComputeAmounts& stated, const Amounts& used, const Amounts& asked, Use use) {
    if (stated.cpus)
        use(std::string("cpus"), *stated.cpus * kMilli, used.cpu_milli, asked.cpu_milli);
    if (stated.memory_gib)
        use(std::string("memory_gib"), *stated.memory_gib * kMibPerGib, used.memory_mib,
            asked.memory_mib);
    for (const auto& [model, count] : stated.devices) {
        const bool any = model == kAnyDevice;
        use("devices." + model, count * kMilli, any ? used.devices_milli : used.of_model(model),
            any ? asked.devices_milli : asked.of_model(model));
    }
}

bool names_what_matters(const ComputeAmounts& stated, const Amounts& asked) {
    if (asked.devices_milli == 0) return stated.cpus.has_value();
    if (stated.devices.contains(std::string(kAnyDevice))) return true;
    return !asked.models.empty() && std::ranges::all_of(asked.models, [&](const auto& model) {
        return stated.devices.contains(model.first);
    });
}

}  // namespace

std::optional<LimitHit> limit_hit(
    const ComputeQuota& quota, const Amounts& used, const Amounts& asked
) {
    std::optional<LimitHit> hit;
    each_stated(
        quota.limit, used, asked,
        [&](const std::string& name, std::int64_t limit, std::int64_t holds, std::int64_t more) {
            if (hit || more == 0 || holds + more <= limit) return;
            hit = LimitHit{.resource = name, .limit = limit, .used = holds, .asked = more};
        }
    );
    return hit;
}

std::int64_t raise_limit(ComputeQuota& quota, const LimitHit& hit) {
    const bool memory = hit.resource == "memory_gib";
    const std::int64_t unit = memory ? kMibPerGib : kMilli;
    const std::int64_t to = (hit.used + hit.asked + unit - 1) / unit;
    constexpr std::string_view kDevices = "devices.";
    if (hit.resource == "cpus")
        quota.limit.cpus = to;
    else if (memory)
        quota.limit.memory_gib = to;
    else
        quota.limit.devices[hit.resource.substr(kDevices.size())] = to;
    return to;
}

bool is_covered(const ComputeQuota& quota, const Amounts& used, const Amounts& asked) {
    if (!names_what_matters(quota.guaranteed, asked)) return false;
    bool within = true;
    each_stated(
        quota.guaranteed, used, asked,
        [&](const std::string&, std::int64_t guaranteed, std::int64_t holds, std::int64_t more) {
            if (more > 0 && holds + more > guaranteed) within = false;
        }
    );
    return within;
}

bool is_borrowed(const ComputeQuota& quota, const Amounts& used, const Amounts& part) {
    bool borrowed = true;
    each_stated(
        quota.guaranteed, used, part,
        [&](const std::string&, std::int64_t guaranteed, std::int64_t holds, std::int64_t less) {
            if (less > 0 && holds - less < guaranteed) borrowed = false;
        }
    );
    return borrowed;
}

std::int64_t guarantee_share(const ComputeQuota& quota, const Amounts& used) {
    std::int64_t most = 0;
    each_stated(
        quota.guaranteed, used, {},
        [&](const std::string&, std::int64_t guaranteed, std::int64_t holds, std::int64_t) {
            most = std::max(most, share_of(holds, guaranteed));
        }
    );
    return most;
}

}  // namespace penstock::scheduler
