// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "model/compute_quota.h"
#include "scheduler/amounts.h"

// What a quota says of a tenant that holds some amounts and asks for more.
namespace penstock::scheduler {

// One resource of a limit that would be passed. Amounts in thousandths and MiB.
struct LimitHit {
    std::string resource;  // cpus, memory_gib, devices.any, devices.H100
    std::int64_t limit = 0;
    std::int64_t used = 0;
    std::int64_t asked = 0;
    bool operator==(const LimitHit&) const = default;
};
std::optional<LimitHit> limit_hit(
    const ComputeQuota& quota, const Amounts& used, const Amounts& asked
);

// Raises the limit that was hit to whole units that hold all; returns them.
std::int64_t raise_limit(ComputeQuota& quota, const LimitHit& hit);

// Whether what is asked beside what is held is the tenant's own by its guarantee: everything the
// guarantee names stays within it, and it names the devices, where any are asked, else the CPUs.
bool is_covered(const ComputeQuota& quota, const Amounts& used, const Amounts& asked);
// Whether the tenant would still hold all of its guarantee without `part`: what is left is not less
// than is guaranteed of any resource that `part` has and the guarantee names.
bool is_borrowed(const ComputeQuota& quota, const Amounts& used, const Amounts& part);
// The largest used part of a guaranteed resource, in parts of kShareOne.
std::int64_t guarantee_share(const ComputeQuota& quota, const Amounts& used);

}  // namespace penstock::scheduler
