// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

// The nouns of this module: nodes, what is asked of them, and where it went.
namespace penstock::placement {

constexpr int kDevicesPerNodeMax = 16;
constexpr int kDeviceModelsMax = 63;
constexpr std::uint16_t kWholeDevice = 1000;
// Memory of a node whose memory is not known: never the reason for a refusal.
constexpr std::int32_t kMemoryUnknown = std::numeric_limits<std::int32_t>::max();

using NodeIndex = std::uint32_t;
using ModelMask = std::uint64_t;   // bit i: device model i
using DeviceMask = std::uint32_t;  // bit i: device i of a node
constexpr ModelMask kAnyModel = ~ModelMask{0};

// One node as it is now. 16-bit milli and no pointers, so that a rescore reads two cache lines.
struct Node {
    std::int32_t cpu_free = 0;                             // milli
    std::int32_t memory_free = 0;                          // MiB
    std::array<std::uint16_t, kDevicesPerNodeMax> free{};  // milli of each device; 0 where none is
    std::uint8_t devices = 0;
    std::uint8_t model = 0;     // index of the device model
    std::uint16_t tasks = 0;    // placed now
    bool closed = false;        // takes nothing new, whatever it has free
    std::uint64_t domains = 0;  // four bits a device: its NVLink or HCCS domain in the node
    std::int32_t cpu_total = 0;
    std::int32_t memory_total = 0;
    std::uint32_t rack = 0;
    std::uint32_t site = 0;

    bool operator==(const Node&) const = default;
    unsigned domain_of(int device) const { return (domains >> (4 * device)) & 15U; }
    std::int32_t free_milli() const {
        std::int32_t sum = 0;
        for (const std::uint16_t milli : free) sum += milli;
        return sum;
    }
    // How many devices have at least `milli` (> 0) free.
    int devices_with(std::uint16_t milli) const {
        int count = 0;
        for (const std::uint16_t have : free) count += have >= milli ? 1 : 0;
        return count;
    }
};

struct NodeSpec {
    std::int32_t cpu_milli = 0;
    std::int32_t memory_mib = kMemoryUnknown;
    int devices = 0;
    std::uint8_t model = 0;
    int devices_per_domain = 0;  // 0: all devices are one domain
    std::uint32_t rack = 0;
    std::uint32_t site = 0;
};
// An empty node. devices ≤ kDevicesPerNodeMax.
Node make_node(const NodeSpec& spec);

// What one task asks of one node.
struct Request {
    std::int32_t cpu_milli = 0;
    std::int32_t memory_mib = 0;
    std::uint16_t devices = 0;       // 0: CPU only
    std::uint16_t device_milli = 0;  // of each device; kWholeDevice for whole ones
    ModelMask models = kAnyModel;    // any of these
    bool one_domain = false;         // all devices in one domain of the node

    auto operator<=>(const Request&) const = default;
    bool cpu_only() const { return devices == 0; }
    bool is_share() const { return devices == 1 && device_milli < kWholeDevice; }
    std::int32_t total_milli() const { return devices * device_milli; }
};

using ShapeId = std::uint32_t;

// Where a task of a shape is.
struct Placement {
    ShapeId shape = 0;
    NodeIndex node = 0;
    DeviceMask devices = 0;
    bool operator==(const Placement&) const = default;
};

// The devices that a request for whole (or several equal) devices takes: the domain that fits most
// tightly, in it the lowest indices; over several domains only where none fits alone. 0 when the
// node lacks them.
DeviceMask lowest_devices(const Node& node, const Request& request);

}  // namespace penstock::placement
