// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "gateway/api_answer.h"
#include "gateway/gateway.h"
#include "gateway/load_meter.h"
#include "http/message.h"
#include "io/event.h"
#include "routing/endpoint_pool.h"

namespace penstock::gateway {

// Calls for a model of which no replica runs: they wait, within bounds of number, bytes and time,
// while the server starts the first one. Nothing is reserved for a call that waits. The gateway's
// thread.
class HeldCalls {
  public:
    HeldCalls(
        io::Executor executor, const routing::EndpointPool& endpoints, LoadMeter& loads,
        const GatewayOptions& options
    )
        : endpoints_(endpoints),
          loads_(loads),
          options_(options),
          changed_(executor),
          somebody_waits_(std::move(executor)) {}

    // Whether no engine of the model is ready, while a service would start one.
    bool sleeps(std::string_view model) const {
        return !loads_.services().empty() && !endpoints_.has_ready(model) &&
               loads_.service_of(model) != nullptr;
    }

    struct Wait {
        const ResolvedKey* key = nullptr;  // that may use the model, else it wakes nobody
        std::string model;
        std::size_t bytes = 0;              // of the request, kept meanwhile
        std::optional<Duration> span = {};  // asked for; absent: what the service's spec says
        io::Deadline deadline = {};         // of the call
        std::optional<http::ClientWatch> client = {};  // absent: somebody else watches it
        // Called again and again while it waits, so that the client's connection is kept alive.
        std::function<io::Task<void>()> tell = {};
        Duration tell_every{};
    };
    // Returns at once where it need not wait. 403 where the key may not use the model, 503 with
    // Retry-After when the queue is full or the span has passed, 504 at the deadline, 499 when the
    // client has gone.
    io::Task<ApiResult<void>> until_ready(Wait wait);

    // A new table of routes is in use.
    void on_routes() { changed_.notify_all(); }
    // How many calls ever began to wait.
    std::uint64_t begun() const { return begun_; }
    // Ends when more than `known` have, or at the deadline.
    io::Task<void> wait_for_more(std::uint64_t known, io::Deadline deadline);
    std::size_t held() const { return held_; }
    std::size_t held(const std::string& model) const {
        const auto found = held_of_.find(model);
        return found == held_of_.end() ? 0 : found->second;
    }

  private:
    // Counts one call while it waits.
    class Place;
    io::Task<bool> wait_until(const Wait* wait, io::Deadline until);
    routing::ApiError cold_start(const ElasticRoute& service, Duration waited) const;
    routing::ApiError full(const ElasticRoute& service) const;

    const routing::EndpointPool& endpoints_;
    LoadMeter& loads_;
    const GatewayOptions& options_;
    io::Event changed_;
    io::Event somebody_waits_;
    std::uint64_t begun_ = 0;
    std::size_t held_ = 0;
    std::size_t bytes_ = 0;
    std::map<std::string, std::size_t> held_of_;  // by model
};

}  // namespace penstock::gateway
