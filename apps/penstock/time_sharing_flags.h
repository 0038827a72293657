// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "server/platform.h"

namespace penstock {

// How a server shares devices among time-shared tasks, as its command line states it.
struct TimeSharingFlags {
    std::string policy;
    std::string round;
    TimeSharingFlags();
    void add_to(CLI::App& app);
    Result<server::TimeSharingOptions> options() const;
};

}  // namespace penstock
