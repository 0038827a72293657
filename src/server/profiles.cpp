// SPDX-License-Identifier: Apache-2.0
#include "server/profiles.h"

#include <algorithm>

#include "model/accelerator_facts.h"
#include "server/inputs.h"

namespace penstock::server {
namespace {

using scheduler::RunSummary;

std::string key_of(OrganisationId organisation, const std::string& text) {
    return access::sha256_hex(to_string(organisation) + "\n" + text);
}

struct Known {
    Duration run_time;
    std::string basis;
};
std::optional<Known> known_of(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation,
    const std::optional<Accelerator>& accelerator
) {
    const auto find = [&](const std::string& text) {
        return platform.history.find(key_of(organisation, text));
    };
    if (const auto same = find(scheduler::workload_text(spec, accelerator)))
        return Known{.run_time = same->p50, .basis = scheduler::basis_text(*same)};
    if (spec.name.empty()) return std::nullopt;
    if (const auto named = find(scheduler::named_workload_text(spec, accelerator)))
        return Known{
            .run_time = named->p50,
            .basis = scheduler::basis_text(*named) + ", of tasks named " + spec.name
        };
    return std::nullopt;
}

bool whole_run(const Attempt& attempt) {
    if (attempt.gang && attempt.gang->rank > 0) return false;  // the head speaks for its gang
    return attempt.state == TaskState::succeeded && !attempt.restored_from && attempt.running_at &&
           attempt.ended_at && *attempt.ended_at >= *attempt.running_at;
}

}  // namespace

void learn(Platform& platform, const Attempt& attempt) {
    const Task& task = *platform.board.find(attempt.task_id);
    if (!whole_run(attempt) || !attempt.running_at || !attempt.ended_at || task.spec.service)
        return;
    const scheduler::Run run{
        .run_time = *attempt.ended_at - *attempt.running_at,
        .memory_peak_mib = attempt.agent_meter ? attempt.agent_meter->memory_peak_mib : 0
    };
    const std::optional<Accelerator>& accelerator = attempt.request.accelerator;
    const auto add = [&](const std::string& text) {
        platform.history.add(key_of(task.organisation_id, text), run);
    };
    add(scheduler::workload_text(task.spec, accelerator));
    if (!task.spec.name.empty()) add(scheduler::named_workload_text(task.spec, accelerator));
}

void learn_all(Platform& platform) {
    std::vector<const Attempt*> ended;
    for (const Task* task : platform.board.list([](const Task&) { return true; }))
        for (const Attempt* attempt : platform.board.attempts_of(task->id))
            if (whole_run(*attempt)) ended.push_back(attempt);
    std::ranges::sort(ended, [](const Attempt* a, const Attempt* b) {
        return std::tie(*a->ended_at, a->id) < std::tie(*b->ended_at, b->id);
    });
    for (const Attempt* attempt : ended) learn(platform, *attempt);
}

scheduler::Profile profile_of(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation
) {
    scheduler::Profile profile;
    profile.watts_per_device = board_watts_by_model();
    for (const StagedInput& input : inputs_of(platform, spec)) profile.staging_bytes += input.bytes;
    if (spec.time_limit) {
        profile.run_time = spec.time_limit;
        profile.run_time_basis = "time_limit";
    }
    if (spec.service) return profile;
    if (!spec.resources.accelerators) {
        if (auto known = known_of(platform, spec, organisation, std::nullopt)) {
            profile.run_time = known->run_time;
            profile.run_time_basis = std::move(known->basis);
        }
        return profile;
    }
    const std::vector<Accelerator>& choices = spec.resources.accelerators->choices;
    for (const Accelerator& choice : choices) {
        // The profile tells models apart, not counts of one model.
        if (std::ranges::count(choices, choice.model, &Accelerator::model) > 1) continue;
        if (auto known = known_of(platform, spec, organisation, choice)) {
            profile.run_time_on[choice.model] = known->run_time;
            profile.run_time_basis_on[choice.model] = std::move(known->basis);
        }
    }
    return profile;
}

scheduler::RunTimes run_times_of(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation,
    const std::optional<Accelerator>& accelerator
) {
    scheduler::RunTimes times;
    if (spec.service) return times;
    times.limit = spec.time_limit;
    times.seen =
        platform.history.run_times(key_of(organisation, scheduler::workload_text(spec, accelerator))
        );
    if (times.seen.empty() && !spec.name.empty())
        times.seen = platform.history.run_times(
            key_of(organisation, scheduler::named_workload_text(spec, accelerator))
        );
    return times;
}

std::vector<scheduler::Place> suited_places(
    const Platform& platform, const TaskSpec& of_all, OrganisationId organisation
) {
    TaskSpec spec = of_all;
    spec.num_nodes = 1;
    scheduler::Input input{
        .spec = spec,
        .spec_sha256 = "",
        .supplies = {},
        .avoid = {},
        .profile = profile_of(platform, of_all, organisation),
        .budget_left = {},
        .now = platform.now()
    };
    if (spec.budget && spec.budget->max_total)
        input.budget_left = Money::micro(spec.budget->max_total->micro() / of_all.num_nodes);
    for (const Node* node : platform.fleet.nodes())
        if (node->state == NodeState::online && !node->cordoned)
            input.supplies.push_back({platform.fleet.find_site(node->site_id), node, node->total});
    std::vector<scheduler::Place> places;
    for (const Candidate& candidate : scheduler::plan(input).candidates)
        if (candidate.filter == FilterReason::none)
            places.push_back({candidate.node_id, candidate.request});
    return places;
}

}  // namespace penstock::server
