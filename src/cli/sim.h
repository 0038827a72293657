// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/invocation.h"
#include "sim/progress.h"

// The subcommands of `penstock sim`, one file each; sim.cpp lists them.
namespace penstock::cli {

Command sim_jct_command();
Command sim_optimal_command();
Command sim_pack_command();
Command sim_plot_command();
Command sim_queue_command();
Command sim_replay_command();
Command sim_scale_command();
Command sim_serve_command();
Command sim_sites_command();

// Progress of a long run on stderr, silent with --quiet. Borrows the invocation.
sim::Progress sim_progress(const Invocation& invocation);
// A file that was named on the command line; relative to the working folder.
std::filesystem::path sim_path(const Invocation& invocation, const std::string& file);
// Writes the whole file or fails; an existing file is replaced.
Result<void> write_sim_file(
    const Invocation& invocation, const std::string& file, std::string_view content
);

}  // namespace penstock::cli
