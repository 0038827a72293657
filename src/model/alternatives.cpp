// SPDX-License-Identifier: Apache-2.0
#include "model/alternatives.h"

#include <algorithm>
#include <string>

#include "model/quantity_codec.h"

namespace penstock {
namespace {

bool has(const Accelerators& accelerators, const Accelerator& one) {
    return std::ranges::find(accelerators.choices, one) != accelerators.choices.end();
}

bool names_accelerators(const InfraChoice& choice) { return choice.accelerators.has_value(); }

void check_one(
    const ResourcesSpec& resources, const InfraChoice& choice, const std::string& field,
    json::Problems& problems
) {
    const std::vector<InfraChoice>& all = alternatives_of(resources);
    if (!choice.infra && !choice.accelerators)
        problems.add(field, "names neither infra nor accelerators: state one, or drop it");
    if (!choice.accelerators && !resources.accelerators &&
        std::ranges::any_of(all, names_accelerators))
        problems.add(
            field + ".accelerators",
            "is missing, and other alternatives have it: state it, or resources.accelerators for "
            "those that do not"
        );
    if (!choice.accelerators || !resources.accelerators) return;
    for (const Accelerator& one : choice.accelerators->choices)
        if (!has(*resources.accelerators, one))
            problems.add(
                field + ".accelerators", "'" + to_string(one) +
                                             "' is not among resources.accelerators: add it "
                                             "there, or leave that out"
            );
}

}  // namespace

const std::vector<InfraChoice>& alternatives_of(const ResourcesSpec& resources) {
    return resources.ordered.empty() ? resources.any_of : resources.ordered;
}

void check_alternatives(const ResourcesSpec& resources, json::Problems& problems) {
    if (!resources.any_of.empty() && !resources.ordered.empty())
        return problems.add(
            "resources.ordered", "cannot be stated beside resources.any_of: choose one"
        );
    const std::string name = resources.ordered.empty() ? "resources.any_of" : "resources.ordered";
    const std::vector<InfraChoice>& all = alternatives_of(resources);
    if (all.size() > kAlternativesMax)
        return problems.add(
            name, "has " + std::to_string(all.size()) + " alternatives, at most " +
                      std::to_string(kAlternativesMax) + " are possible"
        );
    for (std::size_t i = 0; i < all.size(); ++i)
        check_one(resources, all[i], name + "[" + std::to_string(i) + "]", problems);
}

void unite_accelerators(ResourcesSpec& resources) {
    if (resources.accelerators) return;
    Accelerators united;
    for (const InfraChoice& choice : alternatives_of(resources)) {
        if (!choice.accelerators) continue;
        for (const Accelerator& one : choice.accelerators->choices)
            if (!has(united, one)) united.choices.push_back(one);
    }
    if (!united.choices.empty()) resources.accelerators = std::move(united);
}

}  // namespace penstock
