// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "placement/fragmentation.h"
#include "placement/policy.h"
#include "placement/power.h"

namespace penstock::placement {

// What policies are made from.
struct PolicyInputs {
    std::vector<WorkloadShape> workload;  // for those that weigh fragments
    int models = 1;                       // of the cluster
    std::uint64_t seed = 0;               // for those that draw
    PowerTable power = {};                // for those that weigh watts; empty: not known
};

constexpr std::string_view kDefaultPolicy = "composite";

// A policy by its name, or several by weight: "fgd=9,pwr=1". The error lists the names there are.
Result<std::unique_ptr<Policy>> make_policy(std::string_view name, const PolicyInputs& inputs);
// All single names, for help and tests.
std::vector<std::string_view> policy_names();

// One file each.
std::unique_ptr<Policy> make_fgd(const PolicyInputs& inputs);
std::unique_ptr<Policy> make_best_fit(const PolicyInputs& inputs);
std::unique_ptr<Policy> make_dot_product(const PolicyInputs& inputs);
std::unique_ptr<Policy> make_gpu_packing(const PolicyInputs& inputs);
std::unique_ptr<Policy> make_gpu_clustering(const PolicyInputs& inputs);
std::unique_ptr<Policy> make_random(const PolicyInputs& inputs);
std::unique_ptr<Policy> make_spread(const PolicyInputs& inputs);
std::unique_ptr<Policy> make_pwr(const PolicyInputs& inputs);  // power is known

struct WeightedPolicy {
    std::unique_ptr<Policy> policy;
    std::int32_t weight = 1;  // 1…kPolicyWeightMax
};
constexpr std::int32_t kPolicyWeightMax = 10'000;
// The weighted mean of the members' scores.
std::unique_ptr<Policy> make_composite(std::vector<WeightedPolicy> members);

}  // namespace penstock::placement
