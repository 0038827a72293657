// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/endpoint.h"
#include "model/service_load.h"

namespace penstock::gateway {

// Counts the calls to replicas of elastic services, for the server: see model/service_load.h. What
// an answer will have of tokens is expected from those before it, and corrected when it has ended.
// Pure; the gateway's thread.
class LoadMeter {
  public:
    static constexpr std::size_t kReportedMax = 1000;  // services; those with calls come first
    static constexpr double kOutputTokensFirst = 256;  // expected before any answer has ended

    // The services of the route table; what they have counted stays.
    void replace(std::vector<ElasticRoute> services);
    // The oldest service that offers the model.
    const ElasticRoute* service_of(std::string_view model) const;
    const std::vector<ElasticRoute>& services() const { return services_; }

    // A call at a replica: from arrive() to leave(). Nothing is counted for other endpoints.
    struct Visit {
        TaskId task_id;
        std::int64_t tokens_expected = 0;
    };
    std::optional<Visit> arrive(const Endpoint& endpoint, std::int64_t prompt_tokens);
    void leave(const Visit& visit);
    void first_token(const TaskId& id, Duration after);
    // How a call that was at a replica of the service ended; `gap` is the mean of a stream.
    struct Ended {
        std::int64_t input_tokens = 0;
        std::int64_t output_tokens = 0;
        std::optional<Duration> gap = {};
    };
    void end(const TaskId& id, const Ended& ended);
    // A call that waits for the first replica.
    void hold(const TaskId& id);
    void let_go(const TaskId& id);

    std::vector<ServiceUse> report() const;

  private:
    struct Counted {
        ServiceUse use;
        double output_tokens_mean = kOutputTokensFirst;
        bool listed = false;
    };
    Counted* find(const TaskId& id);

    std::vector<ElasticRoute> services_;
    std::map<TaskId, Counted> counted_;
};

}  // namespace penstock::gateway
