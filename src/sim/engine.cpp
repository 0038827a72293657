// SPDX-License-Identifier: Apache-2.0
#include "sim/engine.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace penstock::sim {
namespace {

using routing::kBlockTokens;

std::size_t blocks_for(std::int64_t tokens) {
    return static_cast<std::size_t>((tokens + kBlockTokens - 1) / kBlockTokens);
}

}  // namespace

Result<void> check_engine(const EngineModel& model) {
    const auto bad = [](std::string_view name, std::string_view what) {
        return fail_field(ErrorCode::invalid_argument, std::string(name), std::string(what));
    };
    constexpr double kMsMax = 1e6;
    const auto outside = [](double value, double min) {
        return !std::isfinite(value) || value < min || value > kMsMax;
    };
    if (outside(model.step_ms, 0.001)) return bad("step-ms", "expected 0.001 to 10⁶ ms");
    if (outside(model.prefill_ms_per_token, 0)) return bad("prefill-ms", "expected 0 to 10⁶ ms");
    if (!(model.attention_tokens > 0)) return bad("attention-tokens", "expected more than 0");
    if (outside(model.sequence_ms, 0)) return bad("sequence-ms", "expected 0 to 10⁶ ms");
    if (outside(model.context_ms_per_token, 0)) return bad("context-ms", "expected 0 to 10⁶ ms");
    if (model.sequences_max < 1) return bad("sequences", "expected at least 1");
    if (model.batch_tokens <= model.sequences_max)
        return bad("batch-tokens", "expected more than there are sequences: each takes one");
    if (model.cache_tokens < kBlockTokens) return bad("cache-tokens", "expected at least 512");
    return {};
}

Engine::Engine(const EngineModel& model, EngineCache::Listener listener)
    : model_(model),
      cache_(static_cast<std::size_t>(model.cache_tokens / kBlockTokens), std::move(listener)) {}

void Engine::submit(std::size_t call, const ServeRequest& request) {
    CHECK(
        blocks_for(request.input_tokens + request.output_tokens) <= cache_.blocks_max(),
        "the owner refuses calls that no engine can hold"
    );
    waiting_.push_back({.call = call, .request = &request});
}

bool Engine::begin_next() {
    if (waiting_.empty() || static_cast<std::int64_t>(running_.size()) >= model_.sequences_max)
        return false;
    Running next = waiting_.front();
    const ServeRequest& request = *next.request;
    // The last prompt token is always computed: its result is the first answer.
    const auto reusable = std::min(
        request.prompt.size(), static_cast<std::size_t>((request.input_tokens - 1) / kBlockTokens)
    );
    next.filled = cache_.match(std::span(request.prompt).first(reusable));
    next.fresh = blocks_for(request.input_tokens + request.output_tokens) - next.filled;
    if (!cache_.acquire(std::span(request.prompt).first(next.filled), next.fresh)) return false;
    next.prefilled = static_cast<std::int64_t>(next.filled) * kBlockTokens;
    cached_tokens_ += next.prefilled;
    prompt_tokens_ += request.input_tokens;
    waiting_.pop_front();
    running_.push_back(next);
    return true;
}

double Engine::plan_chunk(Running& running, std::int64_t& budget) const {
    running.chunk = std::min(budget, running.request->input_tokens - running.prefilled);
    budget -= running.chunk;
    const auto tokens = static_cast<double>(running.chunk);
    const double context = static_cast<double>(running.prefilled) + tokens / 2;
    return tokens * model_.prefill_ms_per_token * (1 + context / model_.attention_tokens);
}

Duration Engine::begin_step() {
    CHECK(!idle(), "an idle engine makes no step");
    std::int64_t decoding = 0;
    std::int64_t context = 0;
    for (const Running& running : running_) {
        if (!running.decoding()) continue;
        ++decoding;
        context += running.prefilled + running.produced;
    }
    std::int64_t budget = model_.batch_tokens - decoding;
    double ms = model_.step_ms + static_cast<double>(decoding) * model_.sequence_ms +
                static_cast<double>(context) * model_.context_ms_per_token;
    for (Running& running : running_)
        if (!running.decoding() && budget > 0) ms += plan_chunk(running, budget);
    while (budget > 0 && begin_next()) ms += plan_chunk(running_.back(), budget);
    return Duration(std::llround(ms * 1000));
}

std::vector<Engine::Event> Engine::end_step() {
    std::vector<Event> events;
    for (Running& running : running_) advance(running, events);
    std::erase_if(running_, [](const Running& running) {
        return running.produced == running.request->output_tokens;
    });
    return events;
}

void Engine::advance(Running& running, std::vector<Event>& events) {
    const ServeRequest& request = *running.request;
    if (!running.decoding()) {
        running.prefilled += running.chunk;
        running.chunk = 0;
        const auto full = std::min(
            request.prompt.size(), static_cast<std::size_t>(running.prefilled / kBlockTokens)
        );
        for (; running.filled < full; ++running.filled, --running.fresh)
            cache_.fill(request.prompt[running.filled]);
        if (!running.decoding()) return;
        events.push_back({running.call, Event::Kind::first_token});
    }
    ++running.produced;
    if (running.produced < request.output_tokens) return;
    cache_.release(std::span(request.prompt).first(running.filled), running.fresh);
    events.push_back({running.call, Event::Kind::done});
}

}  // namespace penstock::sim
