// SPDX-License-Identifier: Apache-2.0
#include "routing/engine_load.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

struct Told {
    std::string_view text;
    double share;
    std::int64_t waiting;
};

TEST(EngineLoad, IsReadFromTheMetricsOfEachEngine) {
    for (const Told& told : {
             Told{
                 "# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.\n"
                 "# TYPE vllm:kv_cache_usage_perc gauge\n"
                 "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"a} b\"} 0.25\n"
                 "vllm:num_requests_running{engine=\"0\",model_name=\"a\"} 7.0\n"
                 "vllm:num_requests_waiting{engine=\"0\",model_name=\"a\"} 3.0\n",
                 0.25, 3
             },
             Told{"vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.5\n", 0.5, 0},
             Told{
                 "sglang:token_usage{model_name=\"q\\\"}\"} 0.52\r\nsglang:num_queue_reqs 4 17\r\n",
                 0.52, 4
             },
             Told{
                 "llamacpp:requests_processing 1\nllamacpp:requests_deferred 46\n"
                 "llamacpp:kv_cache_usage_ratio 1",
                 1, 46
             },
             Told{"tgi_queue_size 5\n", 0, 5},
         }) {
        const std::optional<EngineLoad> load = read_engine_load(told.text);
        ASSERT_TRUE(load) << told.text;
        EXPECT_DOUBLE_EQ(load->cache_used_share, told.share) << told.text;
        EXPECT_EQ(load->calls_waiting, told.waiting) << told.text;
    }
}

TEST(EngineLoad, OfSeveralRanksIsTheirMeanAndTheirSum) {
    const auto load = read_engine_load(
        "vllm:kv_cache_usage_perc{engine=\"0\"} 0.2\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.6\n"
        "vllm:num_requests_waiting{engine=\"0\"} 1\nvllm:num_requests_waiting{engine=\"1\"} 2\n"
    );
    ASSERT_TRUE(load);
    EXPECT_DOUBLE_EQ(load->cache_used_share, 0.4);
    EXPECT_EQ(load->calls_waiting, 3);
}

TEST(EngineLoad, IsUnknownWhereNothingIsToldOfIt) {
    for (const std::string_view text :
         {"", "\n\n", "<html>vllm:num_requests_waiting 3</html>", "vllm:num_requests_waiting",
          "vllm:num_requests_waiting{engine=\"0\" 3", "vllm:num_requests_waiting NaN",
          "vllm:num_requests_waiting -1", "vllm:num_requests_waiting 3x",
          "vllm:num_requests_waiting_total 3", "vllm:kv_cache_usage_perc 1.5",
          "vllm:kv_cache_usage_perc +Inf", "http_requests_total 3"})
        EXPECT_FALSE(read_engine_load(text)) << text;
}

TEST(EngineLoad, IsBounded) {
    EXPECT_EQ(
        read_engine_load("tgi_queue_size 1e300\ntgi_queue_size 1e300")->calls_waiting, 1'000'000'000
    );
}

}  // namespace
}  // namespace penstock::routing
