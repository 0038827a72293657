// SPDX-License-Identifier: Apache-2.0
#include "placement/policies.h"

#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string>

namespace penstock::placement {
namespace {

using Make = std::unique_ptr<Policy> (*)(const PolicyInputs& inputs);
struct Entry {
    std::string_view name;
    Make make;
    bool needs_power = false;
    bool draws = false;
};

constexpr std::array kPolicies = {
    Entry{"fgd", make_fgd},
    Entry{"best-fit", make_best_fit},
    Entry{"dot-product", make_dot_product},
    Entry{"gpu-packing", make_gpu_packing},
    Entry{"gpu-clustering", make_gpu_clustering},
    Entry{.name = "random", .make = make_random, .draws = true},
    Entry{"spread", make_spread},
    Entry{.name = "pwr", .make = make_pwr, .needs_power = true},
};

// What `composite` stands for; measured to pack as FGD does and to draw less (bench/pack). Without
// watts, devices that are in use already stand for those that need no more power.
constexpr std::string_view kComposite = "fgd=96,best-fit=2,pwr=2";
constexpr std::string_view kCompositeWithoutWatts = "fgd=96,best-fit=2,gpu-packing=2";

Result<const Entry*> find(std::string_view name, const PolicyInputs& inputs) {
    std::string names;
    for (const Entry& entry : kPolicies) {
        if (entry.name != name) {
            names += std::string(entry.name) + ", ";
            continue;
        }
        if (entry.needs_power && inputs.power.empty())
            return fail(
                ErrorCode::invalid_argument,
                "policy " + std::string(name) + " needs the watts of every device model"
            );
        return &entry;
    }
    return fail(
        ErrorCode::invalid_argument, "there is no policy '" + std::string(name) +
                                         "': choose one of " + names +
                                         "composite, or weights as in fgd=9,pwr=1"
    );
}

Result<WeightedPolicy> parse_member(std::string_view text, const PolicyInputs& inputs) {
    const std::size_t equals = text.find('=');
    const std::size_t begin = equals == std::string_view::npos ? text.size() : equals + 1;
    std::int32_t weight = 0;
    const char* end = std::to_address(text.end());
    const auto [stop, error] = std::from_chars(std::to_address(text.begin()) + begin, end, weight);
    if (error != std::errc{} || stop != end || weight < 1 || weight > kPolicyWeightMax)
        return fail(
            ErrorCode::invalid_argument, "'" + std::string(text) +
                                             "' is no policy with a weight from 1 to " +
                                             std::to_string(kPolicyWeightMax)
        );
    const Entry* entry = TRY(find(text.substr(0, equals), inputs));
    if (entry->draws)
        return fail(
            ErrorCode::invalid_argument,
            "policy " + std::string(entry->name) + " draws and gives no scores to weigh"
        );
    return WeightedPolicy{entry->make(inputs), weight};
}

Result<std::unique_ptr<Policy>> parse_composite(std::string_view text, const PolicyInputs& inputs) {
    std::vector<WeightedPolicy> members;
    while (true) {
        const std::size_t comma = text.find(',');
        members.push_back(TRY(parse_member(text.substr(0, comma), inputs)));
        if (comma == std::string_view::npos) return make_composite(std::move(members));
        text.remove_prefix(comma + 1);
    }
}

}  // namespace

std::vector<std::string_view> policy_names() {
    std::vector<std::string_view> names;
    names.reserve(kPolicies.size() + 1);
    for (const Entry& entry : kPolicies) names.push_back(entry.name);
    names.emplace_back(kDefaultPolicy);
    return names;
}

Result<std::unique_ptr<Policy>> make_policy(std::string_view name, const PolicyInputs& inputs) {
    if (name == kDefaultPolicy)
        return parse_composite(inputs.power.empty() ? kCompositeWithoutWatts : kComposite, inputs);
    if (name.contains('=')) return parse_composite(name, inputs);
    return TRY(find(name, inputs))->make(inputs);
}

}  // namespace penstock::placement
