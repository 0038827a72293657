// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

// What compute an organisation or project may count on, and how much it may hold at one time.
namespace penstock {

// Absent: nothing is said of that resource.
struct ComputeAmounts {
    static constexpr bool kJsonDefaults = true;
    std::optional<std::int64_t> cpus;
    std::optional<std::int64_t> memory_gib;
    std::map<std::string, std::int64_t> devices;  // model, or "any" for all models together
    bool empty() const { return !cpus && !memory_gib && devices.empty(); }
    bool operator==(const ComputeAmounts&) const = default;
};
BOOST_DESCRIBE_STRUCT(ComputeAmounts, (), (cpus, memory_gib, devices))

struct ComputeQuota {
    static constexpr bool kJsonDefaults = true;
    std::int64_t weight = 1;    // of what is shared beyond guarantees
    ComputeAmounts guaranteed;  // its own whenever it asks; lent to others while it is idle
    ComputeAmounts limit;       // never more than this at one time
    bool operator==(const ComputeQuota&) const = default;
};
BOOST_DESCRIBE_STRUCT(ComputeQuota, (), (weight, guaranteed, limit))

// As it was set, and by whom.
struct SetQuota : ComputeQuota {
    std::string set_by;  // "user/…", "key/…"
    std::optional<Time> set_at;
    bool operator==(const SetQuota&) const = default;
};
BOOST_DESCRIBE_STRUCT(SetQuota, (ComputeQuota), (set_by, set_at))

constexpr std::string_view kAnyDevice = "any";
constexpr std::int64_t kQuotaWeightMax = 1000;
constexpr std::int64_t kQuotaAmountMax = 1'000'000'000;
constexpr std::size_t kQuotaDevicesMax = 64;

// Every mistake at once, each naming its field below `at` ("quota"), the cause and the remedy.
std::vector<Error> check(const ComputeQuota& quota, const std::string& at);
// Of a part in its whole: a project's quota may not promise more than its organisation's does.
std::vector<Error> check_within(
    const ComputeQuota& part, const ComputeQuota& whole, const std::string& at
);

}  // namespace penstock
