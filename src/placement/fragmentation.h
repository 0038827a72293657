// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "placement/cluster.h"

namespace penstock::placement {

struct WorkloadShape {
    Request request;
    std::int64_t count = 0;  // how often it was seen
};

// The most popular shapes that together make 95 % of `requests`, memory and domain left aside, by
// falling count (then by value, so that the order of the input does not matter).
std::vector<WorkloadShape> target_workload(std::span<const Request> requests);

// How much of a node's free device milli the target workload cannot use, in expectation.
//
// For a shape m that can use the node, the fragment is what lies on devices with less free than m
// asks; for any other it is all that is free. Weighted by the counts and summed over m, this
// separates by device: with T the sum of all counts, C(r) the count of usable one-device shapes
// that ask at most r, and K(n) the count of usable shapes of 2…n whole devices,
//
//     T × F = Σ_g r_g (T − C(r_g)) − 1000 n K(n),    n = number of free whole devices.
//
// C and K depend on the device model and on which CPU thresholds the node still meets: tables.
// Shapes of several shares are rare and are added one by one. Everything is an exact integer.
class FragmentationMeter {
  public:
    // `models`: how many device models the cluster has; nodes name a lower index.
    FragmentationMeter(const std::vector<WorkloadShape>& workload, int models);

    // T: the unit of the sums below.
    std::int64_t scale() const { return scale_; }

    // The terms of one device model at one amount of free CPU.
    class View {
      public:
        // Of one device with `milli` free.
        std::int64_t device(std::uint16_t milli) const {
            return milli * (meter_->scale_ - usable_[meter_->rank_[milli]]);
        }
        // Of `whole` devices that are wholly free: to be subtracted.
        std::int64_t whole_devices(int whole) const {
            return std::int64_t{kWholeDevice} * whole * gangs_[whole];
        }
        // T × F of a node with these devices.
        std::int64_t sum(std::span<const std::uint16_t> free) const;

      private:
        friend class FragmentationMeter;
        const FragmentationMeter* meter_ = nullptr;
        const std::int64_t* usable_ = nullptr;  // C by rank
        const std::int64_t* gangs_ = nullptr;   // K by number of devices
        std::int32_t cpu_ = 0;
        std::uint8_t model_ = 0;
    };
    View view(std::uint8_t model, std::int32_t cpu_free) const;
    bool has_share_groups() const { return !share_groups_.empty(); }

    // T × F of the node as it is.
    std::int64_t of(const Node& node) const;

  private:
    std::size_t row_of(std::uint8_t model, std::size_t cpu_class) const {
        return model * (cpu_steps_.size() + 1) + cpu_class;
    }
    std::size_t ranks() const { return thresholds_.size() + 1; }
    void fill(std::uint8_t model, std::size_t cpu_class);
    std::int64_t scale_ = 0;
    std::vector<std::int32_t> cpu_steps_;    // distinct CPU requests of device shapes, rising
    std::vector<std::uint16_t> thresholds_;  // distinct milli of one-device shapes, rising
    std::array<std::uint16_t, kWholeDevice + 1> rank_{};  // number of thresholds ≤ milli
    std::vector<WorkloadShape> shapes_;                   // those that ask devices
    std::vector<WorkloadShape> share_groups_;             // several devices, each in part
    std::vector<std::int64_t> usable_;                    // [model][cpu class][rank]
    std::vector<std::int64_t> gangs_;                     // [model][cpu class][devices 0…16]
};

}  // namespace penstock::placement
