// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "io/task.h"
#include "telemetry/log.h"

namespace penstock::io {
class Runtime;
}

namespace penstock::agent {

// Accelerators that do not exist, for development: shown as simulated everywhere, never sold beside
// real ones.
struct SimulatedAccelerators {
    static constexpr bool kJsonDefaults = true;
    std::string model;
    std::int64_t count = 1;
    std::int64_t memory_mib = 0;
    std::int64_t per_link_domain = 0;  // so many in a row are linked; 0: none is
    bool operator==(const SimulatedAccelerators&) const = default;
};
BOOST_DESCRIBE_STRUCT(SimulatedAccelerators, (), (model, count, memory_mib, per_link_domain))

// How long to wait before dialling again: a uniform part of min(first × 2ⁿ, longest).
struct ReconnectLimits {
    static constexpr bool kJsonDefaults = true;
    Duration first = 200ms;
    Duration longest = 15s;
    Duration dial_timeout = 10s;
    bool operator==(const ReconnectLimits&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReconnectLimits, (), (first, longest, dial_timeout))

// What `penstock agent --config FILE` reads (YAML or JSON). An unknown key is an error.
struct AgentConfig {
    static constexpr bool kJsonDefaults = true;
    std::string server = "http://127.0.0.1:8080";
    std::optional<std::string> key;  // "sk-…"; better in a file of mode 0600:
    std::optional<std::string> key_file;
    std::optional<std::string> node;  // default: the host's name
    std::string state_dir = "/var/lib/penstock/agent";
    std::optional<std::int64_t> cpu_milli;  // of the host, offered to tasks; default: all of it
    std::optional<std::int64_t> memory_mib;
    std::vector<std::string> runtime_paths;  // folders of the host shown read-only to every task
    std::map<std::string, std::string> environment;  // published to every task
    std::map<std::string, std::string> labels;
    std::string service_address = "127.0.0.1";  // where the gateway reaches services of this host
    std::vector<SimulatedAccelerators> simulated_accelerators;  // development only
    bool share_network = false;       // tasks that are no services see the host's network too
    bool demand_enforcement = false;  // refuse an attempt with a limit that this host cannot keep
    std::optional<Duration> heartbeat_every;  // default: what the server says
    ReconnectLimits reconnect;
    // Two agents of one host need two names, and two ranges of 1,000 users when they are root.
    std::string cgroup_name = "penstock";
    std::int64_t uid_first = 1'900'000'000;
    bool operator==(const AgentConfig&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    AgentConfig, (),
    (server, key, key_file, node, state_dir, cpu_milli, memory_mib, runtime_paths, environment,
     labels, service_address, simulated_accelerators, share_network, demand_enforcement,
     heartbeat_every, reconnect, cgroup_name, uid_first)
)

struct AgentOptions {
    std::string server_url;
    std::string key;
    std::string node_name;
    std::filesystem::path state_dir;  // durable; one agent at a time (locked)
    std::optional<std::int64_t> cpu_milli;
    std::optional<std::int64_t> memory_mib;
    std::vector<std::filesystem::path> runtime_paths;
    std::map<std::string, std::string> environment;
    std::map<std::string, std::string> labels;
    std::string service_address = "127.0.0.1";
    std::vector<SimulatedAccelerators> simulated_accelerators;
    bool share_network = false;
    bool demand_enforcement = false;
    std::optional<Duration> heartbeat_every;
    ReconnectLimits reconnect;
    // The command that ends in drivers::supervise(); default: this program with
    // "internal-supervise".
    std::vector<std::string> supervisor;
    bool use_cgroups = true;  // see drivers::ProcessDriverOptions for these four
    std::string cgroup_name = "penstock";
    std::uint32_t uid_first = 1'900'000'000;
    std::uint32_t uid_count = 1'000;
    std::string version;
    telemetry::Logger log;
};
// Checks a config and reads the key's file and the host's name.
Result<AgentOptions> agent_options(const AgentConfig& config);

// The agent of one host: dials out to the server, runs the attempts that it is given, and reports
// what became of them. It survives cuts, restarts of the server, and its own death at any instant:
// what was started is found again in `state_dir` and by the driver. Attempts go on while the server
// is away.
//     agent::Agent agent(runtime, options);
//     tasks.spawn(agent.run());   …   co_await agent.stop();
class Agent {
  public:
    Agent(io::Runtime& runtime, AgentOptions options);
    ~Agent();
    // Returns an error when the agent cannot start at all (state_dir is unusable or in use, no
    // driver works here); otherwise runs until stop().
    io::Task<Result<void>> run();
    // Ends the session and all own work; attempts go on running for the next agent to adopt.
    io::Task<void> stop();
    bool connected() const;

  private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace penstock::agent
