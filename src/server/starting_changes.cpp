// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "scheduler/alike_supplies.h"
#include "scheduler/filter.h"
#include "server/explain_queue.h"
#include "server/profiles.h"
#include "server/queue_yard.h"

// What change of a waiting task would start it now.
namespace penstock::server {
namespace {

constexpr std::int64_t kMibPerGib = 1024;

struct Trial {
    StartingChange change;
    TaskSpec spec;
    std::string words;  // "with cpus: 4 instead of 8"
    std::string words_zh;
};

std::string thousandths(std::int64_t milli) {
    return fmt::format("{:g}", static_cast<double>(milli) / 1000);
}

// The largest amount of each resource that is free on one node that could take the task.
struct Room {
    std::int64_t cpu_milli = 0;
    std::int64_t memory_mib = 0;
    std::int64_t devices_milli = 0;
};

void add_cpus(std::vector<Trial>& trials, const TaskSpec& spec, std::int64_t milli) {
    const ResourceRequest request = scheduler::request_of(spec);
    milli -= milli >= 1000 ? milli % 1000 : 0;
    if (milli <= 0 || milli >= request.cpu_milli) return;
    Trial trial{.change = {.field = "resources.cpus"}, .spec = spec};
    trial.spec.resources.cpus = CpuRange{{milli, milli}};
    trial.change.from = thousandths(request.cpu_milli);
    trial.change.to = thousandths(milli);
    trial.words = fmt::format("with cpus: {} instead of {}", trial.change.to, trial.change.from);
    trial.words_zh = fmt::format("CPU 由 {} 减为 {}", trial.change.from, trial.change.to);
    trials.push_back(std::move(trial));
}

void add_memory(std::vector<Trial>& trials, const TaskSpec& spec, std::int64_t mib) {
    const ResourceRequest request = scheduler::request_of(spec);
    mib -= mib >= kMibPerGib ? mib % kMibPerGib : 0;
    if (mib <= 0 || mib >= request.memory_mib) return;
    Trial trial{.change = {.field = "resources.memory"}, .spec = spec};
    trial.spec.resources.memory = MemoryRange{{mib, mib}};
    trial.change.from = fmt::format("{}MiB", request.memory_mib);
    trial.change.to = fmt::format("{}MiB", mib);
    trial.words = fmt::format("at {} of memory instead of {}", trial.change.to, trial.change.from);
    trial.words_zh = fmt::format("内存由 {} 减为 {}", trial.change.from, trial.change.to);
    trials.push_back(std::move(trial));
}

void add_devices(std::vector<Trial>& trials, const TaskSpec& spec, std::int64_t milli) {
    const std::optional<Accelerator> asked = scheduler::request_of(spec).accelerator;
    milli -= milli % 1000;
    if (!asked || milli <= 0 || milli >= asked->count_milli) return;
    Trial trial{.change = {.field = "resources.accelerators"}, .spec = spec};
    const Accelerator fewer{.model = asked->model, .count_milli = milli};
    trial.spec.resources.accelerators = Accelerators{.choices = {fewer}};
    trial.change.from = to_string(*asked);
    trial.change.to = to_string(fewer);
    trial.words = fmt::format("with {} instead of {}", trial.change.to, trial.change.from);
    trial.words_zh = fmt::format("加速卡由 {} 减为 {}", trial.change.from, trial.change.to);
    trials.push_back(std::move(trial));
}

void add_constraints(std::vector<Trial>& trials, const TaskSpec& spec) {
    if (!spec.placement || !spec.placement->constraints) return;
    Trial trial{.change = {.field = "placement.constraints"}, .spec = spec};
    trial.spec.placement->constraints.reset();
    trial.change.from = "as stated";
    trial.change.to = "none";
    trial.words = "without placement.constraints";
    trial.words_zh = "去掉 placement.constraints";
    trials.push_back(std::move(trial));
}

Room room_for(const Platform& platform, const std::vector<scheduler::Place>& places) {
    Room room;
    for (const scheduler::Place& place : places) {
        const Capacity free = platform.fleet.free_of(*platform.fleet.find_node(place.node));
        room.cpu_milli = std::max(room.cpu_milli, free.cpu_milli);
        room.memory_mib = std::max(room.memory_mib, free.memory_mib);
        if (!place.request.accelerator) continue;
        const auto found = free.accelerator_milli.find(place.request.accelerator->model);
        if (found != free.accelerator_milli.end())
            room.devices_milli = std::max(room.devices_milli, found->second);
    }
    return room;
}

bool has_room(const Capacity& free, const TaskSpec& spec) {
    const ResourceRequest request = scheduler::request_of(spec);
    if (free.cpu_milli < request.cpu_milli || free.memory_mib < request.memory_mib) return false;
    const auto has = [&](const Accelerator& choice) {
        return scheduler::devices_milli(free, choice) >= choice.count_milli;
    };
    return !spec.resources.accelerators ||
           std::ranges::any_of(spec.resources.accelerators->choices, has);
}

// Nodes with room, one for all that are alike; those of which something is promised stand alone.
std::vector<scheduler::Supply> roomy_supplies(
    const Platform& platform, const TaskSpec& spec, const scheduler::Reservations& promises
) {
    std::vector<scheduler::Supply> roomy;
    for (const Node* node : platform.fleet.nodes()) {
        Capacity free = platform.fleet.free_of(*node);
        if (node->state == NodeState::online && !node->cordoned && has_room(free, spec))
            roomy.push_back(
                {platform.fleet.find_site(node->site_id), node, std::move(free),
                 platform.engine.outlook_of(node->site_id)}
            );
    }
    std::vector<NodeId> promised;
    for (const scheduler::Reservation& each : promises.all())
        for (const scheduler::Place& place : each.places) promised.push_back(place.node);
    std::ranges::sort(promised);
    std::vector<scheduler::Supply> supplies;
    for (scheduler::AlikeSupplies& group : scheduler::alike_supplies(roomy, spec, promised))
        supplies.push_back(std::move(group.shown));
    return supplies;
}

// Where such a task could start at once, breaking no promise.
std::optional<Candidate> starts_now(
    const Platform& platform, const Task& task, const TaskSpec& spec,
    const scheduler::Reservations& promises, const QueueYard& yard
) {
    scheduler::Input input{
        .spec = spec,
        .spec_sha256 = "",
        .supplies = {},
        .avoid = {},
        .profile = profile_of(platform, spec, task.organisation_id),
        .budget_left = {},
        .now = platform.now(),
        .at_once = true
    };
    if (spec.budget) input.budget_left = spec.budget->max_total;
    input.supplies = roomy_supplies(platform, spec, promises);
    const ResourceRequest request = scheduler::request_of(spec);
    const scheduler::Kept kept{
        .promises = promises,
        .book = yard,
        .work = work_of(task.id, 0),
        .at_most = run_times_of(platform, spec, task.organisation_id, request.accelerator).at_most()
    };
    input.kept = &kept;
    const Plan plan = scheduler::plan(input);
    if (!plan.feasible) return std::nullopt;
    return plan.candidates.front();
}

}  // namespace

std::vector<StartingChange> starting_changes(
    Platform& platform, const Task& task, const scheduler::Reservations& promises
) {
    const QueueYard yard(platform, {}, {});
    const Room room = room_for(platform, suited_places(platform, task.spec, task.organisation_id));
    std::vector<Trial> trials;
    add_cpus(trials, task.spec, room.cpu_milli);
    add_memory(trials, task.spec, room.memory_mib);
    add_devices(trials, task.spec, room.devices_milli);
    add_constraints(trials, task.spec);
    std::vector<StartingChange> changes;
    for (Trial& trial : trials) {
        const std::optional<Candidate> now = starts_now(platform, task, trial.spec, promises, yard);
        if (!now) continue;
        trial.change.site = now->site;
        trial.change.node = now->node;
        trial.change.text =
            fmt::format("{} it would start now on {}/{}", trial.words, now->site, now->node);
        trial.change.text_zh =
            fmt::format("{}，即可在 {}/{} 立即开始", trial.words_zh, now->site, now->node);
        changes.push_back(std::move(trial.change));
    }
    return changes;
}

}  // namespace penstock::server
