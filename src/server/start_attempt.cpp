// SPDX-License-Identifier: Apache-2.0
#include "server/agent_hub.h"
#include "server/inputs.h"

// What an agent is told to start an attempt.
namespace penstock::server {
namespace {

// The addresses of the nodes of an attempt's try, by rank.
std::vector<std::string> addresses_of(const Platform& platform, const Attempt& attempt) {
    if (!attempt.gang) return {"127.0.0.1"};
    std::vector<std::string> all;
    for (const Attempt* member : platform.board.members_of(attempt))
        all.push_back(platform.fleet.find_node(member->placement.node_id)->address);
    return all;
}

// One a line, as SkyPilot's scripts read them.
std::string lines_of(const std::vector<std::string>& addresses) {
    std::string text;
    for (const std::string& address : addresses) text += (text.empty() ? "" : "\n") + address;
    return text;
}

// The variables that the platform gives to an attempt (docs/reference/tasks.md).
std::map<std::string, std::string> environment_of(
    const Platform& platform, const Task& task, const Attempt& attempt, const TaskItem& item
) {
    std::map<std::string, std::string> all;
    for (const auto& [name, value] : task.spec.envs) all[name] = value.text;
    const auto set = [&](std::string_view suffix, std::string value, bool with_sky_alias) {
        if (with_sky_alias) all["SKYPILOT_" + std::string(suffix)] = value;
        all["PENSTOCK_" + std::string(suffix)] = std::move(value);
    };
    set("TASK_ID", to_string(task.id), true);
    const GangSeat seat = attempt.gang.value_or(GangSeat{});
    const std::vector<std::string> addresses = addresses_of(platform, attempt);
    set("NODE_RANK", std::to_string(seat.rank), true);
    set("NUM_NODES", std::to_string(seat.members), true);
    set("NODE_IPS", lines_of(addresses), true);
    set("HEAD_IP", addresses.front(), false);
    const std::int64_t cards =
        attempt.request.accelerator ? (attempt.request.accelerator->count_milli + 999) / 1000 : 0;
    set("GPUS_PER_NODE", std::to_string(cards), false);
    all["SKYPILOT_NUM_GPUS_PER_NODE"] = std::to_string(cards);
    set("ATTEMPT", std::to_string(attempt.fence), false);
    if (task.spec.service) set("REPLICA", std::to_string(item.index), false);
    if (item.points.empty()) return all;
    // The index of an item is its first value where there is one parameter, its number otherwise.
    const auto& first = item.points.front();
    const std::string index =
        first.size() == 1 ? first.begin()->second : std::to_string(item.index);
    set("ARRAY_INDEX", index, false);
    all["SLURM_ARRAY_TASK_ID"] = index;
    for (const auto& [name, value] : first) {
        set("PARAM_" + name, value, false);
        if (item.points.size() > 1)
            set("PARAM_" + name + "_LAST", item.points.back().at(name), false);
    }
    return all;
}

}  // namespace

StartAttempt start_of(const Platform& platform, const Attempt& attempt) {
    const Task& task = *platform.board.find(attempt.task_id);
    const TaskItem& item =
        platform.board.items(task.id)->at(static_cast<std::size_t>(attempt.item));
    StartAttempt start{
        .attempt_id = attempt.id,
        .task_id = task.id,
        .fence = attempt.fence,
        .name = task.name,
        .request = attempt.request,
        .setup = task.spec.setup,
        .run = task.spec.run.value_or(""),
        .environment = environment_of(platform, task, attempt, item),
        .workdir_sha256 = task.spec.workdir_sha256,
        .outputs = task.spec.outputs,
        .checkpoint = task.spec.checkpoint,
        .restore = attempt.restored_from,
        .service = task.spec.service,
        .time_limit = task.spec.time_limit,
        .acceptance = task.spec.acceptance,
        .item = attempt.item,
        .devices = attempt.devices,
        .gang = attempt.gang
    };
    if (task.spec.inputs) start.inputs = inputs_of(platform, task.spec);
    if (!attempt.gang || attempt.gang->rank == 0) return start;
    // What must be there is asked of the head.
    for (OutputSpec& output : start.outputs) output.required = false;
    if (start.acceptance) start.acceptance->checks.clear();
    return start;
}

}  // namespace penstock::server
