// SPDX-License-Identifier: Apache-2.0
#include "gateway/load_meter.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

const TaskId kTask{RawId{1, 1}}, kOther{RawId{1, 2}};

Endpoint replica_of(TaskId task) {
    Endpoint endpoint;
    endpoint.task_id = task;
    return endpoint;
}

std::string shown(const LoadMeter& meter) {
    std::string all;
    for (const ServiceUse& use : meter.report())
        all += std::to_string(use.calls_arrived) + " arrived, " +
               std::to_string(use.tokens_arrived) + " tokens, " +
               std::to_string(use.calls_in_flight) + " in flight, " +
               std::to_string(use.calls_held) + " held; ";
    return all;
}

LoadMeter meter_of(std::vector<TaskId> tasks) {
    LoadMeter meter;
    std::vector<ElasticRoute> services;
    for (const TaskId& id : tasks) services.push_back({.task_id = id, .model = "m"});
    meter.replace(std::move(services));
    return meter;
}

TEST(LoadMeter, ExpectsTokensOfACallAndCorrectsThemAtItsEnd) {
    LoadMeter meter = meter_of({kTask});
    const auto visit = meter.arrive(replica_of(kTask), 100);
    EXPECT_EQ(shown(meter), "1 arrived, 356 tokens, 1 in flight, 0 held; ");
    meter.leave(*visit);
    meter.end(kTask, {.input_tokens = 90, .output_tokens = 6});
    EXPECT_EQ(shown(meter), "1 arrived, 96 tokens, 0 in flight, 0 held; ");
    EXPECT_LT(meter.arrive(replica_of(kTask), 100)->tokens_expected, 356);
}

TEST(LoadMeter, CountsNothingForEndpointsThatNoElasticServiceHas) {
    LoadMeter meter = meter_of({kTask});
    EXPECT_FALSE(meter.arrive(Endpoint(), 100));
    EXPECT_FALSE(meter.arrive(replica_of(kOther), 100));
    EXPECT_EQ(shown(meter), "0 arrived, 0 tokens, 0 in flight, 0 held; ");
}

TEST(LoadMeter, ACallThatWaitsIsInFlight) {
    LoadMeter meter = meter_of({kTask});
    meter.hold(kTask);
    EXPECT_EQ(shown(meter), "0 arrived, 0 tokens, 1 in flight, 1 held; ");
    meter.let_go(kTask);
    EXPECT_EQ(shown(meter), "0 arrived, 0 tokens, 0 in flight, 0 held; ");
}

TEST(LoadMeter, KeepsAServiceThatHasEndedUntilItsCallsHave) {
    LoadMeter meter = meter_of({kTask});
    const auto visit = meter.arrive(replica_of(kTask), 1);
    meter.replace({});
    EXPECT_EQ(meter.report().size(), 1U);
    meter.leave(*visit);
    meter.replace({});
    EXPECT_TRUE(meter.report().empty());
}

TEST(LoadMeter, OfServicesWithOneModelTheOldestIsWoken) {
    LoadMeter meter;
    meter.replace(
        {{.task_id = kOther, .model = "m", .created_at = Time(20s)},
         {.task_id = kTask, .model = "m", .created_at = Time(10s)}}
    );
    EXPECT_EQ(meter.service_of("m")->task_id, kTask);
    EXPECT_EQ(meter.service_of("n"), nullptr);
}

}  // namespace
}  // namespace penstock::gateway
