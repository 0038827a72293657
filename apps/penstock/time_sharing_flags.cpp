// SPDX-License-Identifier: Apache-2.0
#include "time_sharing_flags.h"

#include <CLI/CLI.hpp>

namespace penstock {

TimeSharingFlags::TimeSharingFlags() : policy(server::TimeSharingOptions().policy), round("6m") {}

void TimeSharingFlags::add_to(CLI::App& app) {
    app.add_option(
           "--time-sharing-policy", policy,
           "who runs in a round of time-shared tasks: agnostic-las, gavel-las, gavel-cost or "
           "most-throughput"
    )
        ->capture_default_str();
    app.add_option("--time-sharing-round", round, "length of a round, 1s to 24h")
        ->capture_default_str();
}

Result<server::TimeSharingOptions> TimeSharingFlags::options() const {
    server::TimeSharingOptions options{.policy = policy};
    const Result<Duration> length = parse_duration(round);
    if (!length)
        return fail_field(
            ErrorCode::invalid_argument, "--time-sharing-round", length.error().message
        );
    options.round = *length;
    return options;
}

}  // namespace penstock
