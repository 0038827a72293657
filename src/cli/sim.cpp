// SPDX-License-Identifier: Apache-2.0
#include "cli/sim.h"

#include <fstream>

#include "cli/nouns.h"

namespace penstock::cli {

std::vector<Command> sim_commands() {
    return {
        sim_jct_command(),   sim_optimal_command(), sim_pack_command(),
        sim_plot_command(),  sim_queue_command(),   sim_replay_command(),
        sim_scale_command(), sim_serve_command(),   sim_sites_command(),
    };
}

sim::Progress sim_progress(const Invocation& invocation) {
    return sim::Progress(
        invocation.clock,
        [&invocation](const std::string& stage, std::size_t done, std::size_t total) {
            invocation.say("sim.progress", stage, done, total);
        }
    );
}

std::filesystem::path sim_path(const Invocation& invocation, const std::string& file) {
    return invocation.surroundings.working_folder / file;
}

Result<void> write_sim_file(
    const Invocation& invocation, const std::string& file, std::string_view content
) {
    std::ofstream out(sim_path(invocation, file), std::ios::binary | std::ios::trunc);
    out << content;
    out.close();
    if (!out)
        return fail(
            ErrorCode::invalid_argument,
            "cannot write " + file + ": does its folder exist, and may you write there?"
        );
    return {};
}

}  // namespace penstock::cli
