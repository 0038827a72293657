// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "agent/agent.h"
#include "drivers/files.h"
#include "http/url.h"

namespace penstock::agent {
namespace {

Result<std::string> read_key_file(const std::string& path) {
    struct stat about{};
    if (stat(path.c_str(), &about) != 0) return drivers::fail_errno(errno, "key_file " + path);
    if ((about.st_mode & 077) != 0)
        return fail_field(
            ErrorCode::permission_denied, "key_file",
            fmt::format("{} can be read by others; chmod 600 {}", path, path)
        );
    std::string key = TRY(drivers::read_file(path));
    while (!key.empty() && (key.back() == '\n' || key.back() == ' ')) key.pop_back();
    return key;
}

Result<std::string> key_of(const AgentConfig& config) {
    if (config.key && config.key_file)
        return fail_field(
            ErrorCode::invalid_argument, "key", "is given beside key_file; keep one of them"
        );
    std::string key =
        config.key_file ? TRY(read_key_file(*config.key_file)) : config.key.value_or("");
    if (!key.starts_with("sk-"))
        return fail_field(
            ErrorCode::invalid_argument, config.key_file ? "key_file" : "key",
            "holds no key of the form sk-…; make one with `penstock key create --role agent`"
        );
    return key;
}

Result<std::string> host_name() {
    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) != 0)
        return drivers::fail_errno(errno, "the host's name");
    return std::string(name.data());
}

Result<void> check_at_least(const std::optional<std::int64_t>& value, const char* field) {
    if (!value || *value > 0) return {};
    return fail_field(
        ErrorCode::invalid_argument, field, "must be above zero; leave it out to offer everything"
    );
}

}  // namespace

Result<AgentOptions> agent_options(const AgentConfig& config) {
    TRY(http::parse_url(config.server));
    TRY(check_at_least(config.cpu_milli, "cpu_milli"));
    TRY(check_at_least(config.memory_mib, "memory_mib"));
    if (!config.state_dir.starts_with('/'))
        return fail_field(ErrorCode::invalid_argument, "state_dir", "must be an absolute path");
    for (const std::string& path : config.runtime_paths)
        if (!path.starts_with('/'))
            return fail_field(
                ErrorCode::invalid_argument, "runtime_paths",
                fmt::format("'{}' must be absolute", path)
            );
    if (config.reconnect.first <= Duration{0} || config.reconnect.longest < config.reconnect.first)
        return fail_field(ErrorCode::invalid_argument, "reconnect", "needs 0 < first <= longest");
    if (config.uid_first < 1000 || config.uid_first > 4'000'000'000)
        return fail_field(
            ErrorCode::invalid_argument, "uid_first",
            "must lie in 1000…4000000000, in a range where no user lives"
        );
    AgentOptions options;
    options.server_url = config.server;
    options.key = TRY(key_of(config));
    options.node_name = config.node ? *config.node : TRY(host_name());
    options.state_dir = config.state_dir;
    options.cpu_milli = config.cpu_milli;
    options.memory_mib = config.memory_mib;
    options.runtime_paths.assign(config.runtime_paths.begin(), config.runtime_paths.end());
    options.environment = config.environment;
    options.labels = config.labels;
    options.service_address = config.service_address;
    options.simulated_accelerators = config.simulated_accelerators;
    options.share_network = config.share_network;
    options.demand_enforcement = config.demand_enforcement;
    options.heartbeat_every = config.heartbeat_every;
    options.reconnect = config.reconnect;
    options.cgroup_name = config.cgroup_name;
    options.uid_first = static_cast<std::uint32_t>(config.uid_first);
    return options;
}

}  // namespace penstock::agent
