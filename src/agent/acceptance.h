// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "model/task.h"

namespace penstock::agent {

struct JqOptions {
    std::string jq = "/usr/bin/jq";
    std::string bwrap = "/usr/bin/bwrap";
    std::string prlimit = "/usr/bin/prlimit";
    Duration time_max = 10s;
};
constexpr std::int64_t kCheckedBytesMax = std::int64_t{64} << 20;  // of a file that jq reads

struct FailedCheck {
    std::string message;
    FaultDomain fault_domain = FaultDomain::user;
};
// The first check that does not hold, if any. Files are looked for below `work_dir` and no link is
// followed; the expressions are the task's own, so jq runs where it can read nothing else. Blocks.
std::optional<FailedCheck> failed_check(
    const AcceptanceSpec& acceptance, const std::string& work_dir, const JqOptions& options = {}
);

}  // namespace penstock::agent
