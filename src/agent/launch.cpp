// SPDX-License-Identifier: Apache-2.0
#include "agent/launch.h"

#include <fmt/format.h>

#include "agent/accelerators.h"
#include "agent/glob.h"

namespace penstock::agent {
namespace {

using Variables = std::map<std::string, std::string>;

// The names of other systems' scripts, so that those run unchanged.
constexpr std::pair<const char*, const char*> kAliases[] = {
    {"SKYPILOT_TASK_ID", "PENSTOCK_TASK_ID"},
    {"SKYPILOT_NODE_RANK", "PENSTOCK_NODE_RANK"},
    {"SKYPILOT_NUM_NODES", "PENSTOCK_NUM_NODES"},
    {"SKYPILOT_NODE_IPS", "PENSTOCK_NODE_IPS"},
    {"SKYPILOT_NUM_GPUS_PER_NODE", "PENSTOCK_GPUS_PER_NODE"},
    {"SLURM_ARRAY_TASK_ID", "PENSTOCK_ARRAY_INDEX"},
};

std::int64_t whole_accelerators(const ResourceRequest& request) {
    return request.accelerator ? (request.accelerator->count_milli + 999) / 1000 : 0;
}

}  // namespace

Result<std::string> checkpoint_folder(const CheckpointSpec& spec) {
    std::string_view path = spec.path;
    if (path.starts_with("/work/")) path.remove_prefix(6);
    return normal_pattern(path);
}

Variables task_environment(
    const AttemptRecord& record, const AgentOptions& options,
    const std::vector<devices::Device>& inventory
) {
    const StartAttempt& start = *record.start;
    Variables all = start.environment;
    // The server knows these better where it gives them, as for a gang on several nodes.
    all.emplace("PENSTOCK_TASK_ID", to_string(start.task_id));
    all.emplace("PENSTOCK_NODE_RANK", "0");
    all.emplace("PENSTOCK_NUM_NODES", "1");
    all.emplace("PENSTOCK_NODE_IPS", options.service_address);
    all.emplace("PENSTOCK_HEAD_IP", options.service_address);
    all.emplace("PENSTOCK_GPUS_PER_NODE", std::to_string(whole_accelerators(start.request)));
    for (const auto& [alias, name] : kAliases)
        if (const auto known = all.find(name); known != all.end())
            all.emplace(alias, known->second);
    for (const auto& [name, value] : options.environment) all.emplace(name, value);
    all["PENSTOCK_ATTEMPT_ID"] = to_string(start.attempt_id);
    all["PENSTOCK_OUTPUT_DIR"] = fmt::format("/work/{}", kOutputFolder);
    if (start.checkpoint)
        if (const Result<std::string> folder = checkpoint_folder(*start.checkpoint))
            all["PENSTOCK_CHECKPOINT_DIR"] = "/work/" + *folder;
    if (record.port) {
        all["PENSTOCK_PORT"] = std::to_string(*record.port);
        all["PENSTOCK_HOST"] = options.service_address;
    }
    for (auto& [name, value] : visibility(inventory, record.devices)) all[name] = std::move(value);
    return all;
}

drivers::LaunchSpec launch_spec(
    const AttemptRecord& record, const AgentOptions& options,
    const std::vector<devices::Device>& inventory, const std::string& work_dir
) {
    const StartAttempt& start = *record.start;
    drivers::LaunchSpec spec;
    spec.attempt_id = to_string(start.attempt_id);
    spec.fence = start.fence;
    spec.setup = start.setup.value_or("");
    spec.script = start.run;
    spec.environment = task_environment(record, options, inventory);
    spec.limits = {
        .cpu_milli = start.request.cpu_milli,
        .memory_bytes = start.request.memory_mib << 20,
        .pids = kPidsMax
    };
    spec.demand_enforcement = options.demand_enforcement;
    // Members of a gang reach each other at their nodes' addresses.
    spec.share_network = start.service || start.gang || options.share_network;
    spec.hold = start.gang.has_value();
    if (!work_dir.empty())
        spec.mounts.push_back(
            {work_dir + "/" + kOutputFolder, std::string("/") + kOutputFolder, true}
        );
    for (const std::int64_t position : record.devices)
        if (position >= 0 && static_cast<std::size_t>(position) < inventory.size())
            for (const std::string& node : inventory[static_cast<std::size_t>(position)].nodes)
                spec.devices.push_back(node);
    return spec;
}

}  // namespace penstock::agent
