// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/random.h"
#include "gateway/budget.h"
#include "gateway/gateway_metrics.h"
#include "gateway/server_link.h"
#include "gateway/spool.h"

namespace penstock::gateway {

// Takes durable records from the spool to the server, oldest first, in batches; repeats until the
// server has them, which changes nothing there the second time. A record that the server refuses
// for good is found by halving its batch, kept in `refused_file` for a person, and passed over.
class Settler {
  public:
    static constexpr std::size_t kBatchRecordsMax = 500;
    // Between batches, so that they are not single records: a report costs as much as several.
    static constexpr Duration kGatherFor = 250ms;
    static constexpr Duration kBackOffFirst = 200ms;  // doubles, with full jitter
    static constexpr Duration kBackOffMax = 10s;

    struct Parts {
        Spool& spool;
        ServerLink& server;
        Budget& budget;
        GatewayMetrics& metrics;
        const Clock& clock;
        Random& random;
        io::Pool& pool;
        OutageFile* file = nullptr;  // nothing of `spool` is forgotten while it is there
    };
    Settler(
        Parts parts, telemetry::Logger log, std::string replica, std::filesystem::path refused_file
    );

    // Until cancelled.
    io::Task<void> settle_forever();
    // Everything that is durable now, or false when the deadline passed.
    io::Task<bool> drain(io::Deadline deadline);

  private:
    // False: the server cannot take records now.
    io::Task<bool> settle_one_batch();
    bool is_clear() const { return parts_.file == nullptr || parts_.file->is_clear(); }
    io::Task<void> end_outage();
    // Of records as the spool has them: JSON of CallRecords, which outlive the call.
    using Records = std::span<const std::string_view>;
    io::Task<Result<void>> settle(Records records);
    io::Task<Result<void>> post(Records records);
    io::Task<Result<void>> put_aside(std::string_view record, Error cause);

    Parts parts_;
    telemetry::Logger log_;
    std::string replica_;
    std::filesystem::path refused_file_;
};

}  // namespace penstock::gateway
