// SPDX-License-Identifier: Apache-2.0
#include "agent/accelerators.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/accelerator_facts.h"

namespace penstock::agent {
namespace {

constexpr std::int64_t kWhole = 1000;

bool usable(const devices::Device& device) {
    return device.health != devices::DeviceHealth::failed;
}

Health health_of(devices::DeviceHealth health) {
    switch (health) {
        case devices::DeviceHealth::ok:
            return Health::ok;
        case devices::DeviceHealth::degraded:
            return Health::degraded;
        case devices::DeviceHealth::failed:
            return Health::failed;
        case devices::DeviceHealth::unknown:
            return Health::unknown;
    }
    return Health::unknown;
}

// The variable that a vendor's runtime reads; null where none is known.
const char* variable_of(const std::string& vendor) {
    if (vendor == "NVIDIA") return "CUDA_VISIBLE_DEVICES";
    if (vendor == "Ascend") return "ASCEND_RT_VISIBLE_DEVICES";
    if (vendor == "AMD") return "ROCR_VISIBLE_DEVICES";
    if (vendor == "Hygon") return "HIP_VISIBLE_DEVICES";
    return nullptr;
}

}  // namespace

std::int64_t share_of_each(const Accelerator& request) {
    return std::min(request.count_milli, kWhole);
}

Result<std::optional<std::vector<std::int64_t>>> assign_accelerators(
    const std::vector<devices::Device>& inventory, const AcceleratorUse& use,
    const Accelerator& request
) {
    const std::int64_t share = share_of_each(request);
    if (request.count_milli <= 0 ||
        (request.count_milli > kWhole && request.count_milli % kWhole != 0))
        return fail(
            ErrorCode::invalid_argument,
            fmt::format(
                "{} thousandths of {}: ask for a part of one device or for whole devices",
                request.count_milli, request.model
            )
        );
    const auto wanted = static_cast<std::size_t>(request.count_milli / share);
    std::vector<std::pair<std::int64_t, std::int64_t>> free;  // room, position
    std::size_t present = 0;
    for (std::size_t i = 0; i < inventory.size(); ++i) {
        if (inventory[i].model != request.model || !usable(inventory[i])) continue;
        ++present;
        const auto position = static_cast<std::int64_t>(i);
        const auto used = use.find(position);
        const std::int64_t room = kWhole - (used == use.end() ? 0 : used->second);
        if (room >= share) free.emplace_back(room, position);
    }
    if (present < wanted)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format(
                "this node has {} usable {}, {} are asked for", present, request.model, wanted
            )
        );
    if (free.size() < wanted) return std::nullopt;
    std::ranges::sort(free);  // the fullest first: whole devices stay whole for as long as possible
    std::vector<std::int64_t> positions;
    for (std::size_t i = 0; i < wanted; ++i) positions.push_back(free[i].second);
    std::ranges::sort(positions);
    return positions;
}

Result<std::optional<std::vector<std::int64_t>>> assign_named_accelerators(
    const std::vector<devices::Device>& inventory, const AcceleratorUse& use,
    const Accelerator& request, const std::vector<std::int64_t>& named
) {
    const std::int64_t share = share_of_each(request);
    bool free = true;
    for (const std::int64_t position : named) {
        const bool there = position >= 0 && position < std::ssize(inventory) &&
                           inventory[static_cast<std::size_t>(position)].model == request.model &&
                           usable(inventory[static_cast<std::size_t>(position)]);
        if (!there)
            return fail(
                ErrorCode::invalid_argument,
                fmt::format("this node has no usable {} at position {}", request.model, position)
            );
        const auto used = use.find(position);
        free = free && (used == use.end() || used->second + share <= kWhole);
    }
    if (!free) return std::nullopt;
    return named;
}

std::map<std::string, std::string> visibility(
    const std::vector<devices::Device>& inventory, const std::vector<std::int64_t>& positions
) {
    std::map<std::string, std::string> variables;
    for (const std::int64_t position : positions) {
        if (position < 0 || static_cast<std::size_t>(position) >= inventory.size()) continue;
        const devices::Device& device = inventory[static_cast<std::size_t>(position)];
        const char* name =
            device.simulated ? "PENSTOCK_SIMULATED_DEVICES" : variable_of(device.vendor);
        if (name == nullptr) continue;
        std::string& value = variables[name];
        value += value.empty() ? "" : ",";
        // NVIDIA takes the stable name; the others count.
        value += device.vendor == "NVIDIA" && !device.simulated && !device.uuid.empty()
                     ? device.uuid
                     : std::to_string(device.index);
    }
    return variables;
}

void refresh_health(
    std::vector<devices::Device>& inventory, const std::vector<devices::Device>& found
) {
    for (devices::Device& device : inventory) {
        const auto now = std::ranges::find_if(found, [&](const devices::Device& other) {
            return other.vendor == device.vendor && other.index == device.index &&
                   other.uuid == device.uuid;
        });
        if (now != found.end()) {
            device.health = now->health;
            device.health_reason = now->health_reason;
        } else {
            device.health = devices::DeviceHealth::failed;
            device.health_reason = "it is not found any more";
        }
    }
}

std::string health_problem(const std::vector<devices::Device>& inventory) {
    std::string problem;
    for (const devices::Device& device : inventory) {
        if (device.health == devices::DeviceHealth::ok ||
            device.health == devices::DeviceHealth::unknown)
            continue;
        problem +=
            (problem.empty() ? "" : "; ") + fmt::format(
                                                "{} {} {}: {}", device.model, device.index,
                                                devices::name(device.health), device.health_reason
                                            );
    }
    return problem;
}

std::map<std::string, std::int64_t> accelerator_capacity(
    const std::vector<devices::Device>& inventory
) {
    std::map<std::string, std::int64_t> capacity;
    for (const devices::Device& device : inventory)
        if (usable(device)) capacity[device.model] += kWhole;
    return capacity;
}

std::vector<Device> described(const std::vector<devices::Device>& inventory) {
    std::vector<Device> list;
    for (const devices::Device& device : inventory) {
        Device& described = list.emplace_back(Device{
            .index = device.index,
            .vendor = device.vendor,
            .model = device.model,
            .uuid = device.uuid,
            .memory_mib = device.memory_bytes.value_or(0) >> 20,
            .numa_node = device.numa_node,
            .link_domain = device.link_domain,
            .health = health_of(device.health),
            .driver_version = device.driver_version,
            .simulated = device.simulated
        });
        if (const AcceleratorFacts* facts = facts_of(device.model)) {
            described.peak_tflops = facts->peak_tflops;
            described.board_watts = facts->board_watts;
        }
    }
    return list;
}

}  // namespace penstock::agent
