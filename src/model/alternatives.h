// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "model/task_spec.h"

namespace penstock::json {
class Problems;
}

// Alternatives of place and accelerator: resources.any_of, of which the strategy takes the best,
// and resources.ordered, of which the first that is feasible is taken.
namespace penstock {

constexpr std::size_t kAlternativesMax = 32;

// Those of the task; empty: it has none, every place will do.
const std::vector<InfraChoice>& alternatives_of(const ResourcesSpec& resources);
// Where one names accelerators, resources.accelerators has them all, so each says which it means;
// what names none takes any of them.
void check_alternatives(const ResourcesSpec& resources, json::Problems& problems);
// States in resources.accelerators, where it is absent, what the alternatives name. They are
// checked.
void unite_accelerators(ResourcesSpec& resources);

}  // namespace penstock
