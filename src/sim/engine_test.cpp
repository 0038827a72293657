// SPDX-License-Identifier: Apache-2.0
#include "sim/engine.h"

#include <gtest/gtest.h>

#include <map>

namespace penstock::sim {
namespace {

// Round numbers: a step takes 10 ms, a prompt token 0.01 ms, a decoding call 1 ms.
EngineModel round_model() {
    return {
        .step_ms = 10,
        .prefill_ms_per_token = 0.01,
        .attention_tokens = 1e12,
        .sequence_ms = 1,
        .context_ms_per_token = 0,
        .batch_tokens = 1024,
        .sequences_max = 4,
        .cache_tokens = 20 * 512
    };
}

ServeRequest request(std::int64_t input, std::int64_t output, std::uint64_t first_block = 0) {
    ServeRequest made{.input_tokens = input, .output_tokens = output};
    routing::BlockHash last = 0;
    for (std::int64_t i = 0; i < input / 512; ++i) {
        last = routing::chain_block(last, first_block + static_cast<std::uint64_t>(i));
        made.prompt.push_back(last);
    }
    return made;
}

struct Bench {
    Engine engine;
    Duration now{};
    std::map<std::size_t, Duration> first_tokens;
    std::map<std::size_t, Duration> ends;
    std::int64_t stored = 0;
    std::int64_t removed = 0;
    explicit Bench(const EngineModel& model)
        : engine(
              model, {.stored = [this](routing::BlockHash) { ++stored; },
                      .removed = [this](routing::BlockHash) { ++removed; }}
          ) {}
    void step() {
        now += engine.begin_step();
        for (const Engine::Event& event : engine.end_step())
            (event.kind == Engine::Event::Kind::done ? ends : first_tokens)[event.call] = now;
    }
    void run() {
        while (!engine.idle()) step();
    }
};

TEST(Engine, TakesAStepForEachTokenAndEachPieceOfThePrompt) {
    Bench bench(round_model());
    const ServeRequest call = request(1500, 3);
    bench.engine.submit(0, call);
    bench.run();
    // 10 + 1024 × 0.01, then 10 + 476 × 0.01 with the first token, then two steps of 10 + 1.
    EXPECT_EQ(bench.first_tokens[0], Duration(35ms));
    EXPECT_EQ(bench.ends[0], Duration(57ms));
}

TEST(Engine, DecodesWhileItComputesAnotherPrompt) {
    Bench bench(round_model());
    const ServeRequest first = request(500, 4);
    const ServeRequest second = request(2000, 1);
    bench.engine.submit(0, first);
    bench.step();
    bench.engine.submit(1, second);
    bench.run();
    // 15 ms for the first prompt; then two steps of 10 + 1 + the prompt's pieces of 1023 and 977.
    EXPECT_EQ(bench.first_tokens[1], Duration(15ms + 11ms + 10'230us + 11ms + 9'770us));
    EXPECT_EQ(bench.ends[1], bench.first_tokens[1]);
}

TEST(Engine, FindsPromptBlocksThatItHasComputed) {
    Bench bench(round_model());
    const ServeRequest first = request(1024, 1, 5);
    const ServeRequest longer = request(1536, 1, 5);
    bench.engine.submit(0, first);
    bench.run();
    EXPECT_EQ(bench.stored, 2);
    bench.engine.submit(1, longer);
    bench.run();
    EXPECT_EQ(bench.engine.cached_tokens(), 1024);
    EXPECT_EQ(bench.engine.prompt_tokens(), 2560);
    EXPECT_EQ(bench.stored, 3);
}

TEST(Engine, ComputesTheLastTokenAlways) {
    Bench bench(round_model());
    const ServeRequest call = request(1024, 1);
    bench.engine.submit(0, call);
    bench.run();
    bench.engine.submit(1, call);
    bench.run();
    EXPECT_EQ(bench.engine.cached_tokens(), 512);
}

TEST(Engine, MakesRoomByTheLeastRecentlyUsedBlocks) {
    Bench bench(round_model());
    const ServeRequest first = request(5 * 512, 1, 0);
    const ServeRequest second = request(10 * 512, 1, 100);
    const ServeRequest third = request(8 * 512, 1, 200);
    for (const ServeRequest* call : {&first, &second, &third}) {
        bench.engine.submit(0, *call);
        bench.run();
    }
    // 15 blocks were kept; the third needs 9 of the 20, so 4 of the first's go.
    EXPECT_EQ(bench.removed, 4);
    bench.engine.submit(0, first);
    bench.run();
    EXPECT_EQ(bench.engine.cached_tokens(), 512);
}

TEST(Engine, WaitsUntilAContextFits) {
    Bench bench(round_model());
    const ServeRequest large = request(15 * 512, 2);
    const ServeRequest other = request(10 * 512, 2, 100);
    bench.engine.submit(0, large);
    bench.engine.submit(1, other);
    bench.step();
    EXPECT_EQ(bench.engine.calls_waiting(), 1U);
    bench.run();
    EXPECT_GT(bench.first_tokens[1], bench.ends[0]);
}

TEST(Engine, KeepsWithinItsSequences) {
    Bench bench(round_model());
    const ServeRequest call = request(10, 50);
    for (std::size_t i = 0; i < 6; ++i) bench.engine.submit(i, call);
    bench.step();
    EXPECT_EQ(bench.engine.calls_waiting(), 2U);
    bench.run();
    EXPECT_EQ(bench.ends.size(), 6U);
    EXPECT_DOUBLE_EQ(bench.engine.cache_used_share(), 0);
}

TEST(Engine, NamesTheValueThatMakesNoEngine) {
    EngineModel model = round_model();
    EXPECT_TRUE(check_engine(model));
    model.batch_tokens = 4;
    EXPECT_EQ(check_engine(model).error().field, "batch-tokens");
    model = round_model();
    model.step_ms = 0;
    EXPECT_EQ(check_engine(model).error().field, "step-ms");
}

}  // namespace
}  // namespace penstock::sim
