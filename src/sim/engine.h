// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "sim/engine_cache.h"
#include "sim/serve_trace.h"

namespace penstock::sim {

// How fast a simulated engine is. A step computes one token for each decoding call and fills the
// rest of its batch with prompt tokens, first come first served:
//     ms = step + Σ prompt tokens × prefill × (1 + context / attention)
//        + decoding calls × sequence + their context tokens × context
// The defaults stand for Llama-2-70B in 16 bits on eight H100: `bench/README.md` says where each
// number comes from.
struct EngineModel {
    double step_ms = 28;
    double prefill_ms_per_token = 0.05;
    double attention_tokens = 53'000;  // context at which a prompt token costs twice
    double sequence_ms = 0.44;
    double context_ms_per_token = 2e-5;
    std::int64_t batch_tokens = 2048;
    std::int64_t sequences_max = 256;
    std::int64_t cache_tokens = 1'300'000;
};
// Names the value that makes no engine.
Result<void> check_engine(const EngineModel& model);

// One simulated engine with continuous batching, chunked prefill and a prefix cache. Time is the
// owner's: it asks for a step, waits as long as that takes, and ends it. A call is begun when its
// whole context fits into the memory, so that none is ever thrown out half way.
class Engine {
  public:
    Engine(const EngineModel& model, EngineCache::Listener listener);

    struct Event {
        std::size_t call = 0;
        enum class Kind : std::uint8_t { first_token, done } kind = Kind::done;
    };
    // `request` outlives its call.
    void submit(std::size_t call, const ServeRequest& request);
    bool idle() const { return waiting_.empty() && running_.empty(); }
    // How long the next step takes. Only when not idle, and not within a step.
    Duration begin_step();
    std::vector<Event> end_step();

    // Prompt tokens that were found in the cache; of calls begun.
    std::int64_t cached_tokens() const { return cached_tokens_; }
    std::int64_t prompt_tokens() const { return prompt_tokens_; }
    std::size_t calls() const { return waiting_.size() + running_.size(); }
    std::size_t calls_waiting() const { return waiting_.size(); }
    double cache_used_share() const {
        return static_cast<double>(cache_.in_use()) / static_cast<double>(cache_.blocks_max());
    }

  private:
    struct Running {
        std::size_t call = 0;
        const ServeRequest* request = nullptr;
        std::int64_t prefilled = 0;  // prompt tokens computed or found
        std::int64_t produced = 0;
        std::size_t filled = 0;  // leading prompt blocks in the cache
        std::size_t fresh = 0;
        std::int64_t chunk = 0;  // of the prompt, in this step
        bool decoding() const { return prefilled == request->input_tokens; }
    };
    bool begin_next();
    double plan_chunk(Running& running, std::int64_t& budget) const;
    void advance(Running& running, std::vector<Event>& events);

    EngineModel model_;
    EngineCache cache_;
    std::deque<Running> waiting_;
    std::vector<Running> running_;  // in the order of their beginning
    std::int64_t cached_tokens_ = 0;
    std::int64_t prompt_tokens_ = 0;
};

}  // namespace penstock::sim
