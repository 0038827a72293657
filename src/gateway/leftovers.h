// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "gateway/settler.h"

namespace penstock::gateway {

class IdempotencyLog;
class LeftSnapshot;
class Outage;

// The records of another process of the same gateway, from which this one takes over.
struct Leftovers {
    io::Executor executor;
    Settler::Parts parts;  // its spool is not touched
    telemetry::Logger log;
    std::filesystem::path folder;  // of the other's spool
    std::uint64_t bytes_max = 0;
    std::string replica;  // the other's
    std::filesystem::path refused_file;
    IdempotencyLog* idempotency =
        nullptr;                     // shared with the other; learns what became of its calls
    std::filesystem::path snapshot;  // of the other, where it left one
    Outage* outage = nullptr;        // goes on with what the other had while the server is away
};

// Waits until the other process has ended, settles what it left and ends its leases: a spool has
// one writer at a time, whose lock ends with its process. Ends when nothing is left.
io::Task<void> settle_what_is_left(Leftovers left);

}  // namespace penstock::gateway
