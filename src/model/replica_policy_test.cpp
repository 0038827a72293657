// SPDX-License-Identifier: Apache-2.0
#include "model/replica_policy.h"

#include <gtest/gtest.h>

#include "json/codec.h"

namespace penstock {
namespace {

std::string mistakes(const ServiceSpec& service) {
    json::Problems problems;
    check_replicas(service, problems);
    std::string all;
    for (const Error& error : problems.take())
        all +=
            error.field + (error.message.find("fixed") != std::string::npos ? ": fixed\n" : "\n");
    return all;
}

ServiceSpec service(ReplicaPolicy policy) {
    return {.replica_policy = std::move(policy), .protocol = "openai", .model = "m"};
}

TEST(ReplicaPolicy, OneReplicaIsTheDefaultAndDoesNotFollowLoad) {
    EXPECT_FALSE(is_elastic({}));
    EXPECT_EQ(replicas_min({}), 1);
    EXPECT_EQ(replicas_max({}), 1);
    EXPECT_FALSE(is_elastic(service({.min_replicas = 3})));
    EXPECT_EQ(replicas_max(service({.min_replicas = 3})), 3);
    EXPECT_EQ(mistakes(service({.min_replicas = 3})), "");
}

TEST(ReplicaPolicy, FollowsLoadBetweenItsBounds) {
    EXPECT_TRUE(is_elastic(service({.min_replicas = 0})));
    EXPECT_EQ(replicas_max(service({.min_replicas = 0})), 1);
    const ServiceSpec wide =
        service({.min_replicas = 1, .max_replicas = 4, .target_qps_per_replica = 5});
    EXPECT_TRUE(is_elastic(wide));
    EXPECT_EQ(replicas_max(wide), 4);
    EXPECT_EQ(mistakes(wide), "");
}

TEST(ReplicaPolicy, RefusesBoundsThatMakeNoSense) {
    EXPECT_EQ(mistakes(service({.min_replicas = -1})), "service.replica_policy.min_replicas\n");
    EXPECT_EQ(
        mistakes(service({.min_replicas = 3, .max_replicas = 2})),
        "service.replica_policy.max_replicas\n"
    );
    EXPECT_EQ(
        mistakes(service({.min_replicas = 0, .max_replicas = 2, .spares = 2})),
        "service.replica_policy.spares\n"
    );
    EXPECT_EQ(
        mistakes(service({.max_replicas = 2, .averaged_over = 1ms})),
        "service.replica_policy.averaged_over\n"
    );
    ServiceSpec twice = service({.max_replicas = 2});
    twice.replicas = 2;
    EXPECT_EQ(mistakes(twice), "service.replica_policy\n");
}

TEST(ReplicaPolicy, RefusesTargetsThatNothingWouldFollow) {
    EXPECT_EQ(
        mistakes(service({.min_replicas = 2, .target_qps_per_replica = 5})),
        "service.replica_policy.target_qps_per_replica: fixed\n"
    );
    ServiceSpec fixed = service({.min_replicas = 2});
    fixed.slo = ServiceSlo{.ttft_ms = 500, .tok_s = 30};
    EXPECT_EQ(mistakes(fixed), "service.slo.tok_s: fixed\nservice.slo.ttft_ms: fixed\n");
    ServiceSpec wide = service({.max_replicas = 2});
    wide.slo = ServiceSlo{.ttft_ms = 0, .tok_s = -1};
    EXPECT_EQ(mistakes(wide), "service.slo.tok_s\nservice.slo.ttft_ms\n");
    wide.slo = ServiceSlo{};
    EXPECT_EQ(mistakes(wide), "service.slo\n");
}

TEST(ReplicaPolicy, OfAServiceWhoseCallsNobodyCountsIsRefusedWithTheRemedy) {
    json::Problems problems;
    check_replicas({.replica_policy = ReplicaPolicy{.min_replicas = 0}}, problems);
    const std::vector<Error> errors = problems.take();
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_NE(errors[0].message.find("do not pass the gateway"), std::string::npos);
    EXPECT_NE(errors[0].message.find("protocol: openai"), std::string::npos);
}

}  // namespace
}  // namespace penstock
