// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "http/client.h"
#include "io/event.h"
#include "io/task_group.h"
#include "model/endpoint.h"
#include "routing/endpoint_pool.h"

namespace penstock::gateway {

// Asks engines how full they are, for the choice among the endpoints of one model and for the room
// that batches have: `GET /metrics` beside their API (routing/engine_load.h says which engines tell
// it, and how). Engines of models with one endpoint that sells no batches are not asked; one that
// tells nothing is asked ever more seldom. Nothing waits
// for an answer, and what is not told anew is forgotten (EndpointPool::kLoadFreshFor).
class EngineLoads {
  public:
    static constexpr Duration kEvery = 1s;         // an engine that tells
    static constexpr Duration kSilentFirst = 30s;  // one that did not, doubled each time
    static constexpr Duration kSilentMax = 10min;
    static constexpr Duration kAnswerMax = 2s;
    static constexpr std::size_t kAnswerBytesMax = 1024UL * 1024;
    static constexpr Duration kLookEvery = 250ms;  // while any is due
    static constexpr Duration kLookMax = 5s;
    static constexpr std::size_t kAsksAtOnceMax = 50;  // and 200 a second, however many engines

    struct Parts {
        http::Client& client;
        routing::EndpointPool& endpoints;
        io::TaskGroup& tasks;
        const Clock& clock;
        Random& random;
    };
    EngineLoads(io::Executor executor, Parts parts)
        : parts_(parts), changed_(std::move(executor)) {}

    // The present table.
    void replace(const std::vector<Route>& routes);
    // Until cancelled.
    io::Task<void> ask_forever();

  private:
    // Several endpoints may be one engine.
    struct Engine {
        std::string url;
        std::optional<std::string> api_key;
        std::vector<EndpointId> endpoints;
        Duration ask_at{};  // monotonic
        Duration pause = kSilentFirst / 2;
        bool asked = false;
    };
    // Also of the question under way, which a new table does not end.
    using EnginePtr = std::shared_ptr<Engine>;

    void ask_due();
    Duration until_due() const;
    io::Task<void> ask(EnginePtr engine);
    io::Task<std::optional<routing::EngineLoad>> load_of(const Engine* engine);

    Parts parts_;
    std::vector<EnginePtr> engines_;
    std::size_t next_ = 0;  // where it is gone on with, so that each has its turn
    std::size_t asking_ = 0;
    io::Event changed_;
};

}  // namespace penstock::gateway
