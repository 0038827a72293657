// SPDX-License-Identifier: Apache-2.0
#include "model/time_shared.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "json/codec.h"

namespace penstock {
namespace {

using json::Problems;

constexpr std::int64_t kWholeDevice = 1000;

bool is_rate(double rate) { return std::isfinite(rate) && rate > 0 && rate <= kSharedRateMax; }

void check_rates(
    const TimeSharedSpec& shared, const std::set<std::string>& models, Problems& problems
) {
    for (const auto& [model, rate] : shared.rates) {
        const std::string field = "schedule.time_shared.rates." + model;
        if (!models.contains(model))
            problems.add(field, "is not among resources.accelerators: add it there, or drop it");
        if (!is_rate(rate))
            problems.add(field, "must be above 0 and at most 1000000000 steps a second");
    }
    if (!shared.rates.empty())
        for (const std::string& model : models)
            if (!shared.rates.contains(model))
                problems.add(
                    "schedule.time_shared.rates",
                    "has none for " + model +
                        ": state the steps a second on every accelerator asked for, or on none"
                );
    if (!shared.rate_min) return;
    if (!is_rate(*shared.rate_min))
        problems.add(
            "schedule.time_shared.rate_min", "must be above 0 and at most 1000000000 steps a second"
        );
    if (shared.rates.empty())
        problems.add(
            "schedule.time_shared.rate_min",
            "is compared with rates, and none are stated: state schedule.time_shared.rates too"
        );
    else if (std::ranges::all_of(shared.rates, [&](const auto& each) {
                 return each.second < *shared.rate_min;
             }))
        problems.add(
            "schedule.time_shared.rate_min",
            "is above every rate that is stated: it can never be met, state a smaller one"
        );
}

// The models asked for.
std::set<std::string> check_accelerators(const TaskSpec& spec, Problems& problems) {
    constexpr auto kField = "resources.accelerators";
    std::set<std::string> models;
    if (!spec.resources.accelerators) {
        problems.add(
            kField,
            "is missing: time-shared tasks take turns on accelerators, for instance "
            "{H100: 1, A10: 1}"
        );
        return models;
    }
    if (spec.resources.accelerators->ordered)
        problems.add(
            kField,
            "is a list in an order, and time sharing chooses the model each round: write a "
            "set, as {H100: 1, A10: 1}"
        );
    const std::vector<Accelerator>& choices = spec.resources.accelerators->choices;
    if (std::ranges::any_of(choices, [&](const Accelerator& choice) {
            return choice.count_milli != choices.front().count_milli;
        }))
        problems.add(
            kField,
            "asks for different numbers of devices: time sharing gives the same number on "
            "every model"
        );
    for (const Accelerator& choice : choices) {
        if (choice.count_milli % kWholeDevice != 0)
            problems.add(
                kField, "asks for part of a " + choice.model +
                            ": time sharing gives whole devices, ask for 1 or more"
            );
        if (!models.insert(choice.model).second)
            problems.add(kField, "names " + choice.model + " twice: state one count of it");
    }
    return models;
}

}  // namespace

bool is_time_shared(const TaskSpec& spec) { return spec.schedule && spec.schedule->time_shared; }

void check_time_shared(const TaskSpec& spec, Problems& problems) {
    if (!is_time_shared(spec)) return;
    constexpr auto kField = "schedule.time_shared";
    if (spec.kind != TaskKind::Task)
        problems.add(kField, "belongs to kind: Task; leave it out of other kinds");
    if (spec.num_nodes > 1)
        problems.add(
            kField, "is for tasks on one node: say num_nodes: 1, or leave schedule.time_shared out"
        );
    if (spec.array)
        problems.add(
            kField,
            "is not for arrays, whose items run side by side: submit tasks of their own, or "
            "leave it out"
        );
    if (!spec.checkpoint)
        problems.add(
            "checkpoint",
            "is missing: a time-shared task stops at the end of a round and goes on "
            "from its checkpoint; for instance checkpoint: {path: ckpt}"
        );
    else if (spec.checkpoint->resume == ResumePolicy::never)
        problems.add(
            "checkpoint.resume",
            "says never, but a time-shared task goes on from its checkpoint "
            "each round: say auto or leave it out"
        );
    if (!spec.preemptible.value_or(true))
        problems.add(
            "preemptible",
            "a time-shared task gives way at the end of a round: leave it out, or "
            "leave schedule.time_shared out"
        );
    const std::set<std::string> models = check_accelerators(spec, problems);
    check_rates(*spec.schedule->time_shared, models, problems);
}

}  // namespace penstock
