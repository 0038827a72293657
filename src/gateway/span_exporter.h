// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/call_trace.h"
#include "http/client.h"
#include "io/event.h"
#include "io/task.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "telemetry/span.h"

namespace penstock::gateway {

// Sends the spans of sampled calls to a collector of OpenTelemetry's (OTLP over HTTP, in JSON), in
// batches. No call waits for it: what it could not send in time is dropped and counted.
class SpanExporter {
  public:
    static constexpr std::size_t kWaitingMax = 2048;
    static constexpr std::size_t kBatchMax = 512;
    static constexpr Duration kGatherFor = 2s;
    static constexpr Duration kAnswerMax = 10s;
    static constexpr int kTriesMax = 3;
    static constexpr Duration kBackOff = 1s;  // doubles

    struct Options {
        std::string url;       // of the collector, without /v1/traces; empty: nothing is sent
        std::string instance;  // of this process
    };
    SpanExporter(
        io::Executor executor, http::Client& client, Options options, telemetry::Logger log,
        telemetry::Registry& registry
    );

    // What a span of that trace begins with; null where its call is not sampled, or nobody listens.
    std::unique_ptr<telemetry::Span> begin(const CallTrace& trace) const;
    void add(telemetry::Span span);
    // Until cancelled.
    io::Task<void> send_forever();
    // What waits now, or what of it can be sent until the deadline.
    io::Task<void> flush(io::Deadline deadline);
    std::size_t waiting() const { return waiting_.size(); }

  private:
    enum class Sent { yes, later, never };
    io::Task<void> send_batch(io::Deadline deadline);
    io::Task<Sent> post(const std::string* body, io::Deadline deadline);
    void drop(std::size_t spans, const std::string& why);

    http::Client& client_;
    Options options_;
    telemetry::Logger log_;
    std::vector<telemetry::Span> waiting_;
    io::Event came_;
    bool told_ = false;  // that spans are dropped, until one batch is taken again
    telemetry::Counter& sent_;
    telemetry::Counter& dropped_;
};

}  // namespace penstock::gateway
