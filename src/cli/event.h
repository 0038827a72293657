// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cli/column.h"
#include "cli/command.h"
#include "client/watch.h"

namespace penstock::cli {
const View& event_view();
// The newest events of a timeline, --limit of them or --all, oldest first.
io::Task<Result<int>> print_timeline(Invocation* invocation, std::string path);
// What a timeline takes: it has no filter and one order.
std::vector<Flag> timeline_flags();
// Prints events until the watch ends.
io::Task<Result<int>> print_events(Invocation* invocation, client::Watch watch);
std::vector<Command> event_commands();  // event list, watch
}  // namespace penstock::cli
