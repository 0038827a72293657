// SPDX-License-Identifier: Apache-2.0
#include "server/profiles.h"

#include <algorithm>

#include "model/accelerator_facts.h"
#include "scheduler/alike_supplies.h"
#include "server/inputs.h"
#include "tasks/state.h"

namespace penstock::server {
namespace {

using scheduler::RunSummary;

std::string key_of(OrganisationId organisation, const std::string& text) {
    return access::sha256_hex(to_string(organisation) + "\n" + text);
}

struct Known {
    RunSummary runs;
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
        return Known{.runs = *same, .basis = scheduler::basis_text(*same)};
    if (spec.name.empty()) return std::nullopt;
    if (const auto named = find(scheduler::named_workload_text(spec, accelerator)))
        return Known{
            .runs = *named, .basis = scheduler::basis_text(*named) + ", of tasks named " + spec.name
        };
    return std::nullopt;
}

bool whole_run(const Attempt& attempt) {
    if (attempt.gang && attempt.gang->rank > 0) return false;  // the head speaks for its gang
    return attempt.state == TaskState::succeeded && !attempt.restored_from && attempt.running_at &&
           attempt.ended_at && *attempt.ended_at >= *attempt.running_at;
}

// A gang is learned from when its last member has ended.
bool is_settled(const Platform& platform, const Attempt& attempt) {
    return std::ranges::none_of(platform.board.members_of(attempt), [](const Attempt* member) {
        return tasks::is_active(member->state);
    });
}

}  // namespace

void learn(Platform& platform, const Attempt& attempt) {
    const Task& task = *platform.board.find(attempt.task_id);
    if (!whole_run(attempt) || !attempt.running_at || !attempt.ended_at || task.spec.service)
        return;
    const Metered metered = attempt.agent_meter.value_or(Metered{});
    scheduler::Run run{
        .run_time = *attempt.ended_at - *attempt.running_at,
        .memory_peak_mib = metered.memory_peak_mib,
        .cpu_milli = metered.running_ms > 0 ? metered.cpu_ms * 1000 / metered.running_ms : 0
    };
    for (const OutputFile& output : task.outputs)
        if (output.item == attempt.item) run.result_bytes += output.bytes;
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
            if (whole_run(*attempt) && is_settled(platform, *attempt)) ended.push_back(attempt);
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
        profile.run_time_at_most = spec.time_limit;
        profile.run_time_basis = "time_limit";
    }
    if (spec.service) return profile;
    if (!spec.resources.accelerators) {
        if (auto known = known_of(platform, spec, organisation, std::nullopt)) {
            profile.run_time = known->runs.p50;
            profile.result_bytes = known->runs.result_bytes;
            profile.run_time_basis = std::move(known->basis);
            profile.run_time_at_most =
                run_times_of(platform, spec, organisation, std::nullopt).at_most();
        }
        return profile;
    }
    const std::vector<Accelerator>& choices = spec.resources.accelerators->choices;
    for (const Accelerator& choice : choices) {
        // The profile tells models apart, not counts of one model.
        if (std::ranges::count(choices, choice.model, &Accelerator::model) > 1) continue;
        if (auto known = known_of(platform, spec, organisation, choice)) {
            profile.run_time_on[choice.model] = known->runs.p50;
            profile.result_bytes = std::max(profile.result_bytes, known->runs.result_bytes);
            profile.run_time_basis_on[choice.model] = std::move(known->basis);
            if (const auto most = run_times_of(platform, spec, organisation, choice).at_most())
                profile.run_time_at_most_on[choice.model] = *most;
        }
    }
    return profile;
}

namespace {

DeviceProfile device_profile(
    const TaskSpec& spec, const std::optional<Accelerator>& accelerator,
    const std::optional<Known>& known
) {
    DeviceProfile device{.accelerator = accelerator ? to_string(*accelerator) : ""};
    if (accelerator)
        if (const AcceleratorFacts* facts = facts_of(accelerator->model))
            device.watts = static_cast<double>(facts->board_watts) *
                           static_cast<double>(accelerator->count_milli) / 1000;
    if (spec.time_limit) device.run_time_high_s = to_seconds(*spec.time_limit);
    device.basis = spec.time_limit ? "time_limit" : "unknown";
    if (!known) return device;
    const RunSummary& runs = known->runs;
    device.run_time_s = to_seconds(runs.p50);
    if (runs.low) device.run_time_low_s = to_seconds(*runs.low);
    if (runs.high) device.run_time_high_s = to_seconds(*runs.high);
    device.runs = static_cast<std::int64_t>(runs.runs);
    device.basis = known->basis;
    device.memory_peak_mib = runs.memory_peak_mib;
    const std::int64_t asked = scheduler::request_of(spec).cpu_milli;
    if (runs.cpu_milli && asked > 0)
        device.cpu_percent =
            100.0 * static_cast<double>(*runs.cpu_milli) / static_cast<double>(asked);
    return device;
}

}  // namespace

TaskProfile task_profile_of(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation, std::int64_t items
) {
    TaskProfile profile{.items = items, .nodes = spec.num_nodes};
    for (const StagedInput& input : inputs_of(platform, spec)) profile.staging_bytes += input.bytes;
    std::vector<std::optional<Accelerator>> choices = {std::nullopt};
    if (spec.resources.accelerators)
        choices.assign(
            spec.resources.accelerators->choices.begin(), spec.resources.accelerators->choices.end()
        );
    std::int64_t devices = 0;
    for (const std::optional<Accelerator>& choice : choices) {
        const std::optional<Known> known =
            spec.service ? std::nullopt : known_of(platform, spec, organisation, choice);
        if (known)
            profile.result_bytes =
                std::max(profile.result_bytes.value_or(0), known->runs.result_bytes);
        if (choice) devices = std::max(devices, choice->count_milli);
        profile.devices.push_back(device_profile(spec, choice, known));
    }
    if (spec.kind == TaskKind::Desktop) profile.latency = LatencySensitivity::result;
    if (spec.service) profile.latency = LatencySensitivity::each_call;
    if (devices > 1000) profile.communication = Communication::devices;
    if (spec.num_nodes > 1) profile.communication = Communication::nodes;
    return profile;
}

std::optional<SiteSpec> staging_source_of(const Platform& platform) {
    const Site* site = platform.fleet.find_site(std::string_view(platform.options().store_site));
    if (site == nullptr) return std::nullopt;
    return SiteSpec{
        .name = site->spec.name,
        .egress_per_gb = site->spec.egress_per_gb,
        .routes = site->spec.routes
    };
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
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation
) {
    DecisionQuestion question{
        .spec = dispatch::without_what_is_not_read(spec),
        .spec_sha256 = "",
        .avoid = {},
        .runs = dispatch::runs_of(profile_of(platform, spec, organisation)),
        .budget_left = {},
        .now = platform.now()
    };
    if (spec.budget) question.budget_left = spec.budget->max_total;
    if (question.runs.staging_bytes > 0) question.runs.staging_source = staging_source_of(platform);
    return platform.engine.suited(question, scheduler::kSuitedPlacesMax);
}

}  // namespace penstock::server
