// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "devices/devices.h"
#include "model/quantity.h"
#include "model/site.h"

// Which of a node's accelerators an attempt gets. Pure.
namespace penstock::agent {

// Position in the inventory → thousandths in use.
using AcceleratorUse = std::map<std::int64_t, std::int64_t>;

// The thousandths that one attempt takes of each device it holds: all, or its fraction of one.
std::int64_t share_of_each(const Accelerator& request);

// Positions for `request`, healthy and of its model: whole devices alone, a fraction of the fullest
// device that has room. Nothing when too few are free now; invalid_argument when it can never be.
Result<std::optional<std::vector<std::int64_t>>> assign_accelerators(
    const std::vector<devices::Device>& inventory, const AcceleratorUse& use,
    const Accelerator& request
);

// The same where the server named the devices; nothing while one of them is still in use.
Result<std::optional<std::vector<std::int64_t>>> assign_named_accelerators(
    const std::vector<devices::Device>& inventory, const AcceleratorUse& use,
    const Accelerator& request, const std::vector<std::int64_t>& named
);

// What the vendors' runtimes read to see only the devices of an attempt: CUDA_VISIBLE_DEVICES …
std::map<std::string, std::string> visibility(
    const std::vector<devices::Device>& inventory, const std::vector<std::int64_t>& positions
);

// Takes over the health that a later look found; positions stay, and a device that is gone has
// failed.
void refresh_health(
    std::vector<devices::Device>& inventory, const std::vector<devices::Device>& found
);
// "H100 GPU-1 failed: fell off the bus; …", empty when all is well or nothing is known against it.
std::string health_problem(const std::vector<devices::Device>& inventory);

// As the server sees it: thousandths of usable devices by model.
std::map<std::string, std::int64_t> accelerator_capacity(
    const std::vector<devices::Device>& inventory
);
std::vector<Device> described(const std::vector<devices::Device>& inventory);

}  // namespace penstock::agent
