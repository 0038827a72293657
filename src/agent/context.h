// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/accelerators.h"
#include "agent/agent.h"
#include "agent/attempt_store.h"
#include "agent/blobs.h"
#include "agent/boot_clock.h"
#include "agent/outbox.h"
#include "devices/devices.h"
#include "drivers/driver.h"
#include "http/client.h"
#include "io/event.h"
#include "io/pool.h"

namespace penstock::agent {

// What all parts of one agent share. Everything here belongs to the loop's thread, but the pools'
// work.
struct Context {
    const AgentOptions& options;
    io::Executor executor;
    const Clock& clock;
    const BootClock& boot;
    io::Pool& files;   // disk and hashing
    io::Pool& engine;  // short calls of the driver
    io::Pool& stops;   // calls that last as long as a grace time
    AttemptStore& store;
    drivers::Driver& driver;
    http::Client& probes;  // to services of this node
    Blobs& blobs;
    std::vector<devices::Device> inventory;
    Outbox& outbox;
    io::Event& outbox_changed;
    AcceleratorUse accelerators_used;
    std::set<std::int64_t> ports_used;
    io::Event& released;  // accelerators or ports came free
    bool connected = false;
    std::string device_problem;  // what is wrong with accelerators now
    std::string save_problem;    // why state could not be made durable last; empty: it could
    std::string scratch;         // folder for archives on their way
    telemetry::Logger log;
};

constexpr std::size_t kFileThreads = 2;
constexpr std::size_t kEngineThreads = 4;
constexpr std::size_t kStopThreads = 16;  // further stops wait for a thread

}  // namespace penstock::agent
