// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/gateway_fixture.h"
#include "io/task_group.h"
#include "routing/class_prices.h"

// Lines of batches: what the gateway tells of room, and what it makes of lines that it is given.
namespace penstock::gateway {
namespace {

std::int64_t charged_tokens(const CallRecord& record) {
    return routing::total_tokens(record.tokens);
}

io::Task<void> forget(io::Task<ClientAnswer> asked) { (void)co_await std::move(asked); }

struct Lines : Fixture {
    explicit Lines(EngineScript script = whole_answer()) {
        add_engine(std::move(script));
        routes[0].endpoint.batch_percent = 50;
        apply_routes();
    }
    ClaimedLine line(std::int64_t number) {
        return {
            .line = {BatchId(RawId{5, 5}), number, 1},
            .endpoint_id = routes[0].endpoint.id,
            .record_id = RequestId(RawId{9, static_cast<std::uint64_t>(number) + 1}),
            .custom_id = "c" + std::to_string(number),
            .url = "/v1/chat/completions",
            .body = std::string(kChat),
            .key =
                {.key_id = KeyId(RawId{3, 3}),
                 .organisation_id = server.organisation_id,
                 .project_id = ProjectId(RawId{2, 2}),
                 .may_use_tokens = true,
                 .cache_for = 1min}
        };
    }
    void wait_for_reports(std::size_t count) {
        wait_until([&] { return server.line_reports.size() >= count; }, "reports of lines");
    }
};

TEST(BatchLines, ALineIsACallUnderItsOwnIdAtTheBatchPricePastTheSpool) {
    Lines f;
    f.server.lines = {f.line(0)};

    f.wait_for_reports(1);

    const LineReport& report = f.server.line_reports[0];
    EXPECT_EQ(report.end, LineEnd::answered);
    EXPECT_EQ(report.status, 200);
    EXPECT_EQ(report.custom_id, "c0");
    ASSERT_TRUE(report.record);
    EXPECT_EQ(report.record->id, f.line(0).record_id);
    EXPECT_EQ(report.record->tariff, "batch");
    EXPECT_EQ(report.record->batch_line, to_string(BatchId(RawId{5, 5})) + "/1");
    EXPECT_EQ(
        *multiply(2, QuantityScale::one, report.record->price_output),
        *multiply(1, QuantityScale::one, f.routes[0].endpoint.price_output)
    );
    EXPECT_TRUE(f.server.records.empty());
}

TEST(BatchLines, AReportIsRepeatedUntilTheServerHasIt) {
    Lines f;
    f.server.takes = false;
    f.server.lines = {f.line(0)};
    f.wait_until([&] { return f.engines[0]->requests.size() == 1; }, "the line");
    // It is named as running, so that nobody else gets it.
    f.wait_until(
        [&] { return !f.server.claims.empty() && f.server.claims.back().running.size() == 1; },
        "the claim to be renewed"
    );

    f.server.takes = true;
    f.wait_for_reports(1);

    EXPECT_EQ(f.engines[0]->requests.size(), 1U);
    EXPECT_EQ(f.server.line_reports.size(), 1U);
}

TEST(BatchLines, AFaultOfTheEngineIsReportedAsATryAndARefusalAsTheAnswer) {
    Lines fault({.status = 500, .content_type = "application/json", .pieces = {"{}"}});
    fault.server.lines = {fault.line(0)};
    fault.wait_for_reports(1);
    EXPECT_EQ(fault.server.line_reports[0].end, LineEnd::failed);
    ASSERT_TRUE(fault.server.line_reports[0].record);
    EXPECT_EQ(charged_tokens(*fault.server.line_reports[0].record), 0);

    Lines refusal({.status = 400, .content_type = "application/json", .pieces = {"{}"}});
    refusal.server.lines = {refusal.line(0)};
    refusal.wait_for_reports(1);
    EXPECT_EQ(refusal.server.line_reports[0].end, LineEnd::answered);
    EXPECT_EQ(refusal.server.line_reports[0].status, 400);
}

// The input's check refuses such lines; a batch may be older than the check.
TEST(BatchLines, ALineThatChoosesItsEngineOrAnotherModelIsRefusedAndNobodyIsAsked) {
    Lines f({.status = 500, .content_type = "application/json", .pieces = {"{}"}});
    f.add_engine(whole_answer(), "n");
    const std::string call = std::string(kChat.substr(0, kChat.size() - 1));
    ClaimedLine bound = f.line(0), escapes = f.line(1);
    bound.body = call + R"(,"provider":{"allow_fallbacks":false}})";
    escapes.body = call + R"(,"models":["n"]})";

    f.server.lines = {bound, escapes};
    f.wait_for_reports(2);

    for (const LineReport& report : f.server.line_reports) {
        EXPECT_EQ(report.end, LineEnd::answered);
        EXPECT_EQ(report.status, 400);
        EXPECT_FALSE(report.record);
        EXPECT_TRUE(report.body.contains("unsupported_parameter")) << report.body;
    }
    EXPECT_TRUE(f.engines[0]->requests.empty());
    EXPECT_TRUE(f.engines[1]->requests.empty());
}

TEST(BatchLines, TheServerIsToldOfEndpointsThatSellBatchesAndOfNoOthers) {
    Fixture f;
    f.add_engine(whole_answer());
    f.add_engine(whole_answer(), "other");
    f.routes[1].endpoint.batch_percent = 50;
    f.apply_routes();

    f.wait_until([&] { return !f.server.uses.empty(); }, "the uses");

    EXPECT_EQ(
        f.server.uses.back().uses, std::vector{EndpointUse{.endpoint_id = f.routes[1].endpoint.id}}
    );
}

TEST(BatchLines, AnInteractiveCallIsToldAtOnceAndALineIsNone) {
    Lines f({.silent = true});
    io::TaskGroup group(f.runtime.executor(), "clients");
    f.server.lines = {f.line(0)};
    f.wait_until([&] { return f.engines[0]->requests.size() == 1; }, "the line");
    const std::size_t told = f.server.uses.size();
    f.wait_until([&] { return f.server.uses.size() > told; }, "the uses");
    EXPECT_EQ(f.server.uses.back().uses.at(0).calls, 0);

    group.spawn(forget(f.ask_task(std::string(kChat))));

    f.wait_until(
        [&] { return f.server.uses.back().uses.at(0).calls == 1; }, "the call to be told of"
    );
    f.runtime.block_on(group.close());
}

TEST(BatchLines, ALineWhoseRoomWentBeforeItCameGoesBackAndNobodyIsAsked) {
    Lines f({.silent = true});
    io::TaskGroup group(f.runtime.executor(), "clients");
    for (int call = 0; call < 4; ++call) group.spawn(forget(f.ask_task(std::string(kChat))));
    f.wait_until([&] { return f.engines[0]->requests.size() == 4; }, "four interactive calls");

    f.server.lines = {f.line(0)};
    f.wait_for_reports(1);

    EXPECT_EQ(f.server.line_reports[0].end, LineEnd::returned);
    EXPECT_FALSE(f.server.line_reports[0].retry_after);
    EXPECT_EQ(f.engines[0]->requests.size(), 4U);
    f.runtime.block_on(group.close());
}

// Else an autoscaler would grow a service for work that is to run in what is idle.
TEST(BatchLines, LinesAreNoLoadOfTheServiceWhoseReplicaRunsThem) {
    Lines f;
    const TaskId service(RawId{7, 7});
    f.routes[0].endpoint.task_id = service;
    f.server.elastic = {{.task_id = service, .model = "m", .owner = "shop"}};
    f.apply_routes();
    f.server.lines = {f.line(0)};
    f.wait_for_reports(1);

    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    const auto load = [&]() -> const ServiceUse* {
        if (f.server.loads.empty() || f.server.loads.back().services.empty()) return nullptr;
        return &f.server.loads.back().services[0];
    };
    f.wait_until([&] { return load() != nullptr && load()->calls_arrived > 0; }, "the load");

    EXPECT_EQ(load()->calls_arrived, 1);
    EXPECT_EQ(load()->tokens_arrived, 13);
}

}  // namespace
}  // namespace penstock::gateway
