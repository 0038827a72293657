// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace penstock::agent {

struct ChildResult {
    std::optional<int> exit_code;  // absent: killed by a signal
    bool timed_out = false;
    std::string out;  // at most kChildOutputMax bytes of each; the rest is read and dropped
    std::string err;
};
constexpr std::size_t kChildOutputMax = 4096;

// Runs a program with an empty environment and `input` (a descriptor, or -1 for nothing) as
// standard input; kills it after `at_most`. Blocks. unavailable: the program cannot be started.
Result<ChildResult> run_child(const std::vector<std::string>& command, int input, Duration at_most);

}  // namespace penstock::agent
