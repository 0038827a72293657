// SPDX-License-Identifier: Apache-2.0
#include "gateway/gen_ai_metrics.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

Endpoint endpoint_of(std::uint64_t number, std::string model = "m") {
    Endpoint endpoint;
    endpoint.id = EndpointId(RawId{7, number});
    endpoint.provider = "seller";
    endpoint.model = std::move(model);
    endpoint.upstream_model = "engine-" + endpoint.model;
    return endpoint;
}

CallRecord streamed_call() {
    CallRecord call{.organisation_id = OrganisationId(RawId{1, 1})};
    call.started_at = Time(1'700'000'000s);
    call.ended_at = call.started_at + 1100ms;
    call.streamed = true;
    call.ttft_us = 100'000;
    call.tokens = {.input_fresh = 6, .cache_read = 4, .output_visible = 10, .output_reasoning = 1};
    return call;
}

const std::string kNames = "organisation=\"" + to_string(OrganisationId(RawId{1, 1})) +
                           "\",gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"seller\","
                           "gen_ai_request_model=\"m\",gen_ai_response_model=\"engine-m\"";

TEST(GenAiMetrics, FollowTheConventionsNamesAndBoundaries) {
    telemetry::Registry registry;
    GenAiMetrics metrics(registry);
    const Endpoint endpoint = endpoint_of(1);

    metrics.on_call(streamed_call(), {.endpoint = endpoint, .attempt = 900ms});

    const std::string text = registry.render();
    const auto has = [&](const std::string& line) {
        EXPECT_TRUE(text.contains(line + "\n")) << line << "\n" << text;
    };
    has("gen_ai_client_token_usage_sum{" + kNames + ",gen_ai_token_type=\"input\"} 10");
    has("gen_ai_client_token_usage_sum{" + kNames + ",gen_ai_token_type=\"output\"} 11");
    has("gen_ai_client_token_usage_bucket{" + kNames + ",gen_ai_token_type=\"input\",le=\"4\"} 0");
    has("gen_ai_client_token_usage_bucket{" + kNames + ",gen_ai_token_type=\"input\",le=\"16\"} 1");
    has("gen_ai_server_request_duration_seconds_sum{" + kNames + ",error_type=\"\"} 1.1");
    has("gen_ai_client_operation_duration_seconds_sum{" + kNames + ",error_type=\"\"} 0.9");
    has("gen_ai_server_time_to_first_token_seconds_sum{" + kNames + "} 0.1");
    has("gen_ai_server_time_per_output_token_seconds_sum{" + kNames + "} 0.1");
}

TEST(GenAiMetrics, TellsTheTypeOfAnError) {
    telemetry::Registry registry;
    GenAiMetrics metrics(registry);
    const Endpoint endpoint = endpoint_of(1);
    CallRecord call = streamed_call();
    call.end_reason = EndReason::timeout;

    metrics.on_call(call, {.endpoint = endpoint});

    const std::string text = registry.render();
    EXPECT_TRUE(text.contains(
        "gen_ai_server_request_duration_seconds_count{" + kNames + ",error_type=\"timeout\"} 1"
    )) << text;
    EXPECT_FALSE(text.contains("gen_ai_client_operation_duration_seconds")) << "nobody was asked";
    EXPECT_FALSE(text.contains("gen_ai_server_time_per_output_token")) << "it was cut";
}

TEST(GenAiMetrics, ReplicasOfOneSellerShareALabelSet) {
    telemetry::Registry registry;
    GenAiMetrics metrics(registry);
    const Endpoint first = endpoint_of(1);
    const Endpoint second = endpoint_of(2);

    metrics.on_call(streamed_call(), {.endpoint = first});
    metrics.on_call(streamed_call(), {.endpoint = second});

    EXPECT_TRUE(registry.render().contains(
        "gen_ai_client_token_usage_sum{" + kNames + ",gen_ai_token_type=\"output\"} 22"
    ));
}

TEST(GenAiMetrics, LaterLabelSetsShareOneAndNothingIsLost) {
    telemetry::Registry registry;
    GenAiMetrics metrics(registry);
    std::uint64_t calls = 0;

    for (; calls < GenAiMetrics::kMetMax + 10; ++calls) {
        const Endpoint endpoint = endpoint_of(calls, "m" + std::to_string(calls));
        metrics.on_call(streamed_call(), {.endpoint = endpoint});
    }

    const std::string text = registry.render();
    const std::string other = "organisation=\"other\",gen_ai_operation_name=\"other\",";
    const std::uint64_t beyond = calls - GenAiMetrics::kLabelSetsMax;
    EXPECT_TRUE(text.contains(
        "gen_ai_client_token_usage_sum{" + other +
        "gen_ai_provider_name=\"other\",gen_ai_request_model=\"other\",gen_ai_response_model="
        "\"other\",gen_ai_token_type=\"output\"} " +
        std::to_string(11 * beyond)
    ));
}

TEST(GenAiMetrics, WhatThePlatformPaysIsItsOwn) {
    telemetry::Registry registry;
    GenAiMetrics metrics(registry);
    const Endpoint endpoint = endpoint_of(1);

    metrics.on_platform_attempt(streamed_call(), {.endpoint = endpoint, .embeddings = true});

    EXPECT_TRUE(registry.render().contains(
        "gen_ai_client_token_usage_sum{organisation=\"platform\",gen_ai_operation_name="
        "\"embeddings\",gen_ai_provider_name=\"seller\",gen_ai_request_model=\"m\","
        "gen_ai_response_model=\"engine-m\",gen_ai_token_type=\"input\"} 10"
    ));
}

}  // namespace
}  // namespace penstock::gateway
