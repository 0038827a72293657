// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "dispatch/host.h"
#include "dispatch/refusal_tally.h"
#include "placement/fragmentation.h"
#include "placement/placer.h"

namespace penstock::dispatch {

constexpr std::string_view kCpuSku = "cpu";
constexpr std::size_t kShapesPerPoolMax = 512;
constexpr std::size_t kSliceDevices = placement::kDevicesPerNodeMax;
static_assert(
    fleet::kNodesPerSiteMax * (fleet::kDevicesPerNodeMax / kSliceDevices) <= placement::kNodesMax,
    "a pool of the largest site is no larger than a cluster can be"
);

// A node of a pool and its devices.
struct Pick {
    const Host* host = nullptr;
    DevicePositions devices;
};

// One node that stands for all that refuse a request alike.
struct Refusal {
    const Host* host = nullptr;
    std::int64_t alike = 0;  // how many more
};

// The pool a request belongs to.
std::string_view sku_of(const ResourceRequest& request);
// As `placement` has it; nothing where the model is none of `models` or a slice has too few
// devices.
std::optional<placement::Request> request_for(
    const ResourceRequest& request, const std::map<std::string, std::uint8_t>& models
);

// What is placed by, for the workload to come.
struct PoolTerms {
    std::vector<placement::WorkloadShape> workload;
    std::unique_ptr<placement::Policy> policy;
};
// What a pool is made from, each time its nodes or their sizes changed.
struct PoolParts {
    std::vector<const Host*> hosts;  // in the order of ties
    bool advisory_limits = false;
    PoolTerms terms;
    std::map<std::string, std::uint8_t> models;  // of the policy; those that are left out count as
                                                 // no device
};

// The nodes of one SKU at one site, as a cluster of `placement`. One owner; hosts outlive it.
class Pool {
  public:
    explicit Pool(std::string sku) : sku_(std::move(sku)) {}
    const std::string& sku() const { return sku_; }

    // Not ready: make() before anything else.
    bool ready() const { return placer_.has_value(); }
    void drop() { placer_.reset(); }
    void make(PoolParts parts);
    // The same nodes, placed by other terms.
    void set_terms(PoolTerms terms);
    // Forgets all scores where it keeps as many as it may; before each question.
    void bound_shapes();
    const std::map<std::string, std::uint8_t>& models() const { return models_; }

    // The node is another now; where a task came or went, `task` says what it took. Of a host that
    // is not in the pool, or while not ready: nothing happens.
    using Cause = placement::Placer::Cause;
    void changed(const Host& host) { changed(host, Cause::renewed, {}); }
    void changed(const Host& host, Cause cause, const fleet::CapacityHold& task);

    // The best node; one of `avoid` only where nothing else fits. Takes nothing.
    std::optional<Pick> pick(
        const ResourceRequest& request, const std::vector<const Host*>& avoid, std::uint64_t seed
    );
    // Where nothing fits: one node of each kind of refusal, the nearest to fitting of its kind.
    const std::vector<Refusal>& refusals(const ResourceRequest& request);
    // How many nodes of the pool the request fits on now.
    std::int64_t fitting(const ResourceRequest& request);
    // What the workload to come could not use of a host with these devices and so much free CPU: a
    // unit of the pool's own, the same for all its hosts. The pool is ready.
    std::int64_t fragments(const Host& host, const DeviceSlots& slots, std::int64_t cpu_free) const;

    const Host& host_at(placement::NodeIndex slice) const { return *slices_[slice].host; }
    const placement::Placer& placer() const { return *placer_; }

  private:
    struct Slice {
        const Host* host = nullptr;
        std::size_t first = 0;               // of the host's devices of `model`
        const std::string* model = nullptr;  // null: no devices
        std::uint32_t size = 0;              // index into sizes_
    };
    void tell_holds();
    void add_slices(const Host& host, std::vector<placement::Node>& nodes);
    std::uint32_t size_of(const Host& host, const placement::Node& empty, std::size_t slices);
    placement::Node node_of(const Slice& slice) const;
    std::optional<placement::Request> request_of(const ResourceRequest& request) const {
        return request_for(request, models_);
    }
    std::uint64_t domains_of(const Slice& slice, std::size_t count) const;
    placement::Request part_of(const Slice& slice, const fleet::CapacityHold& task) const;
    Pick pick_of(const placement::Placement& placed) const;
    std::optional<Pick> find(const ResourceRequest& request);
    std::optional<Pick> find_wide(
        const ResourceRequest& request, const std::vector<const Host*>& avoid
    ) const;
    void put_closed(const std::vector<const Host*>& hosts, bool closed);
    template <class Shape>
    void for_each_slice(const Host& host, const Shape& use) const;
    // `ever`: of each size, whether it would have the request.
    std::optional<NodeRefusal> refusal_at(
        std::size_t at, const placement::Request& request, const std::vector<bool>& ever
    ) const;

    std::string sku_;
    bool advisory_limits_ = false;
    std::map<std::string, std::uint8_t> models_;
    std::map<std::string, std::uint32_t> racks_;
    std::vector<Slice> slices_;
    std::map<const Host*, placement::NodeIndex> first_slice_;
    std::vector<const Host*> wide_;  // hosts of more than one slice
    struct Size {
        placement::Node node;  // empty
        std::size_t slices = 1;
        const Host* example = nullptr;
    };
    std::vector<Size> sizes_;  // distinct ones
    std::optional<placement::Placer> placer_;
    std::optional<placement::FragmentationMeter> meter_;
    BlockChanges changes_;  // of slices
    struct Counted {
        std::vector<bool> ever;  // of each size
        RefusalTally tally;
        std::vector<Refusal> refusals;
    };
    using RequestKey = std::tuple<std::int64_t, std::int64_t, std::string, std::int64_t, bool>;
    std::map<RequestKey, Counted> counted_;  // at most kShapesPerPoolMax
};

}  // namespace penstock::dispatch
