// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cli/command.h"

// The commands of the smaller nouns, one file each.
namespace penstock::cli {
std::vector<Command> node_commands();
std::vector<Command> site_commands();
std::vector<Command> offer_commands();
std::vector<Command> key_commands();
std::vector<Command> wallet_commands();
std::vector<Command> bill_commands();
std::vector<Command> identity_commands();
std::vector<Command> model_commands();
std::vector<Command> endpoint_commands();
std::vector<Command> gateway_commands();
std::vector<Command> batch_commands();
std::vector<Command> file_commands();
std::vector<Command> organisation_commands();  // and project
std::vector<Command> context_commands();       // and config
std::vector<Command> spec_commands();
std::vector<Command> sim_commands();
std::vector<Command> doctor_commands();
std::vector<Command> version_commands();
std::vector<Command> completion_commands();
}  // namespace penstock::cli
