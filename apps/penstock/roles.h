// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace penstock {

// The long-running roles of the binary. Each parses its own flags, runs until SIGINT or SIGTERM,
// and returns the process's exit code; mistakes are told on standard error, all at once.
int run_up(int argc, char** argv);       // server + gateway + one agent, for one machine
int run_server(int argc, char** argv);   // one platform node
int run_gateway(int argc, char** argv);  // the data plane for tokens, beside or far from a server
int run_relay(int argc, char** argv);    // one address for the engines of a site
int run_agent(int argc, char** argv);    // one host of a site
int run_openapi(int argc, char** argv);  // prints the API description and ends

}  // namespace penstock
