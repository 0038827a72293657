// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "base/id.h"
#include "gateway/api_answer.h"
#include "gateway/call.h"
#include "gateway/engine_ask.h"
#include "gateway/gateway.h"

namespace penstock::io {
class TaskGroup;
}

namespace penstock::gateway {

// An engine that answered: its status and body, of which `opening` was read already.
struct OpenedStream {
    http::ResponseStream stream;
    bool streams = false;  // as was asked, with status 200; it has no headers any more
    std::string opening;
};

// One attempt of a call, whatever its dialect: the engine that was chosen is asked, its stream is
// held until its first content, and where that is later than such a model's 95th percentile a
// second engine may be asked as well. Who loses is cut off and booked to the platform.
class Attempts {
  public:
    struct Parts {
        io::Executor executor;
        CallParts& calls;
        http::Client& upstream;
        IdSource& ids;
        Random& random;
        const GatewayOptions& options;
    };
    explicit Attempts(Parts parts) : parts_(std::move(parts)) {}

    struct Second {
        routing::EndpointPool::Choice choice;
        http::ClientRequest request;
    };
    struct Plan {
        Call* call = nullptr;  // dispatched
        int number = 0;        // of the attempts, from 0
        EngineAsk ask;         // but for first_content
        // Another engine of the same dialect, for a hedge; nothing where there is none.
        std::move_only_function<std::optional<Second>()> second;
    };
    // What an engine answered, or what the client is told instead.
    using Answer = ApiResult<OpenedStream>;
    // Writes the answer. True: another attempt may do better.
    io::Task<bool> run(Plan plan, std::optional<Answer>* answer);

    // A call for the model begins: it pays into the budget of retries.
    void on_call(std::string_view model);
    // Whether attempt `number` (from 1) may be made, by the model's retry budget, and the wait
    // before it is over. False as well where it could not finish any more.
    io::Task<bool> wait_for_retry(const Call* call, int number, io::Deadline deadline);
    // No other engine is left for attempt `number`: true when the one that answered last may be
    // asked again, since it said when, that fits, and it is over.
    io::Task<bool> wait_as_told(
        int number, const std::optional<Answer>* last, io::Deadline deadline
    );

  private:
    struct Race;
    io::Task<EngineAnswer> ask(Plan plan);
    io::Task<EngineAnswer> ask_hedged(Plan plan, Duration after);
    io::Task<void> run_race(io::TaskGroup* group, Plan* plan, Duration after, Race* race);
    io::Task<bool> judge(
        Call* call, io::Deadline deadline, io::Task<EngineAnswer> asked,
        std::optional<Answer>* answer
    );
    Answer read_outcome(Call& call, EngineAnswer answer, io::Deadline deadline, bool& retryable);

    Parts parts_;
};

}  // namespace penstock::gateway
