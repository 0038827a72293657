// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/attempt_record.h"
#include "devices/devices.h"
#include "drivers/driver.h"

// What the driver is told about an attempt. Pure: the same record gives the same launch, so that an
// agent that died asks for the same thing again.
namespace penstock::agent {

constexpr std::int64_t kPidsMax = 4096;  // processes and threads of one attempt

// Folders of the task, relative to its work directory: where outputs go, and checkpoints.
inline constexpr const char* kOutputFolder = "out";
// Relative and normal; invalid_argument when it leads out of the work directory.
Result<std::string> checkpoint_folder(const CheckpointSpec& spec);

// Everything a task finds in its environment, from weakest to strongest: what the node publishes,
// what the server sent (the task's own `envs`), and what only this node can know.
std::map<std::string, std::string> task_environment(
    const AttemptRecord& record, const AgentOptions& options,
    const std::vector<devices::Device>& inventory
);

// `work_dir` is the driver's, from prepare(); empty before that.
drivers::LaunchSpec launch_spec(
    const AttemptRecord& record, const AgentOptions& options,
    const std::vector<devices::Device>& inventory, const std::string& work_dir
);

}  // namespace penstock::agent
