// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

#include "dispatch/decision_log.h"

namespace penstock {

// How many decisions a server keeps, as its command line states it.
struct DecisionLogFlags {
    std::int64_t decisions_kept;
    std::int64_t decision_log_mib;
    DecisionLogFlags();
    void add_to(CLI::App& app);
    dispatch::DecisionsKept options() const;
};

}  // namespace penstock
