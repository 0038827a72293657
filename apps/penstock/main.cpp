// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstring>

#include "cli/cli.h"
#include "drivers/process_driver.h"
#include "roles.h"

// One binary with roles: what the first word says. Everything that is no role is the command line.
int main(int argc, char** argv) {
    // A peer that has gone is an error of the write, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
    const char* role = argc > 1 ? argv[1] : "";
    if (std::strcmp(role, "up") == 0) return penstock::run_up(argc - 1, argv + 1);
    if (std::strcmp(role, "server") == 0) return penstock::run_server(argc - 1, argv + 1);
    // "gateway list" and its like are commands on gateways; the role is followed by flags.
    const bool verb = argc > 2 && argv[2][0] != '-';
    if (std::strcmp(role, "gateway") == 0 && !verb)
        return penstock::run_gateway(argc - 1, argv + 1);
    if (std::strcmp(role, "relay") == 0) return penstock::run_relay(argc - 1, argv + 1);
    if (std::strcmp(role, "agent") == 0) return penstock::run_agent(argc - 1, argv + 1);
    if (std::strcmp(role, "internal-supervise") == 0)
        return penstock::drivers::supervise(argc - 1, argv + 1);
    if (std::strcmp(role, "openapi") == 0) return penstock::run_openapi(argc - 1, argv + 1);
    return penstock::cli::run_cli(argc, argv);
}
