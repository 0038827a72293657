// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "model/plan.h"

namespace penstock::scheduler {

// CPU, memory and devices: by model, and of all models together. Thousandths and MiB.
struct Amounts {
    std::int64_t cpu_milli = 0;
    std::int64_t memory_mib = 0;
    std::int64_t devices_milli = 0;
    std::map<std::string, std::int64_t> models = {};

    // Adds `sign` times the other.
    void add(const Amounts& other, std::int64_t sign = 1);
    std::int64_t of_model(const std::string& model) const;
    bool operator==(const Amounts&) const = default;
};
Amounts amounts_of(const ResourceRequest& request);
Amounts amounts_of(const Capacity& capacity);

constexpr std::int64_t kShareOne = 1'000'000'000;  // all of a resource
// `used` of `total` in parts of kShareOne; 0 where nobody has any of it.
std::int64_t share_of(std::int64_t used, std::int64_t total);
// The largest share of a resource; what nobody has any of does not count.
std::int64_t dominant_share(const Amounts& used, const Amounts& total);

}  // namespace penstock::scheduler
