// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "memory_store.h"
#include "server/agent_hub.h"
#include "server/billing.h"
#include "server/dispatcher.h"

namespace penstock::simulation {

// One life of a server process.
struct Life {
    io::Runtime runtime;
    MemoryStore store;
    telemetry::Registry metrics;
    http::Router router;
    io::Pool pool{1};
    server::Platform platform;
    server::Api api;
    server::Billing billing;
    server::LogStore logs;
    server::AgentHub hub;
    server::Dispatcher dispatcher;

    Life(Disk& disk, Clock& clock, Random& random, server::TimeSharingOptions sharing = {})
        : store(disk),
          platform(
              runtime, store,
              {.state_dir = "/", .free_bytes_min = 0, .time_sharing = std::move(sharing)}, clock,
              random, {}, metrics
          ),
          api(platform, router),
          billing(platform),
          logs(std::filesystem::temp_directory_path(), pool, runtime.executor()),
          hub(api, logs),
          dispatcher(platform, billing, hub) {
        EXPECT_TRUE(platform.restore());
    }
    // True when everything up to here is durable.
    bool settle() {
        struct Wait {
            static io::Task<bool> now(server::Platform* platform) {
                co_return (co_await platform->committed(platform->last_ticket())).has_value();
            }
        };
        return runtime.block_on(Wait::now(&platform));
    }
};

}  // namespace penstock::simulation
