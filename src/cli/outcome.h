// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/invocation.h"
#include "model/task.h"

namespace penstock::cli {

// 0, 100, 101, 103: what a task's state means for whoever waited for it.
int exit_code_of(const Task& task, bool exit_from_task);

// A service with a ready replica, or one that starts its first for the first call.
bool can_be_called(const Task& task);

// The end of a followed task on stderr: state, cause, domain, cost, span, outputs, and the next
// command.
void show_outcome(const Invocation& invocation, const Task& task);

// How to reach a ready service: its C-URL on stdout, an example call on stderr.
io::Task<Result<void>> show_service(Invocation* invocation, const Task* task);

// Prints a list's worth of outputs with hashes; see the command `task outputs`.
const View& task_view();
const View& output_view();

}  // namespace penstock::cli
