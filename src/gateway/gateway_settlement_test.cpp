// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "gateway/gateway_fixture.h"
#include "io/task_group.h"
#include "routing/spool_record.h"

// What becomes of the record of a call: settled once, kept while the server is away, never lost.
namespace penstock::gateway {
namespace {

// What a crash would leave now.
std::vector<routing::SpoolRecord> spooled(const Fixture& f) {
    std::vector<routing::SpoolRecord> all;
    for (const auto& file : std::filesystem::directory_iterator(f.folder / "spool")) {
        if (file.path().extension() != ".spool") continue;
        std::ifstream in(file.path(), std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(in), {}};
        for (routing::SpoolRecord& record : routing::read_spool(bytes).records)
            all.push_back(std::move(record));
    }
    return all;
}

io::Task<> ask_into(Fixture* f, std::string body, std::optional<ClientAnswer>* answer) {
    answer->emplace(co_await f->ask_task(std::move(body)));
}

TEST(Gateway, ACallIsInTheSpoolWhileItsEngineWorks) {
    for (const char* rest : {R"(,"stream":true})", "}"}) {
        Fixture f;
        EngineScript script = whole_answer();
        script.rest = std::exchange(script.pieces, {});
        script.end = EngineScript::End::when_told;
        f.add_engine(std::move(script));
        std::optional<ClientAnswer> answer;
        io::TaskGroup asking(f.runtime.executor(), "asking");
        std::string body(kChat);
        body.replace(body.size() - 1, 1, rest);
        asking.spawn(ask_into(&f, body, &answer));
        f.wait_until([&] { return f.engines[0]->waiting() == 1; }, "the engine to be asked");
        f.wait_until([&] { return spooled(f).size() == 1; }, "the call in the spool");

        const routing::SpoolRecord opened = spooled(f).front();
        EXPECT_EQ(opened.kind, routing::SpoolKind::opened);
        EXPECT_EQ(
            to_string(opened.call.id), f.engines[0]->requests.at(0).headers.get("X-Request-Id")
        );
        EXPECT_FALSE(answer.has_value());

        f.engines[0]->cut();
        f.wait_until([&] { return answer.has_value(); }, "the answer");
        EXPECT_EQ(answer->status, 200) << answer->body;
        EXPECT_EQ(answer->headers.get("x-penstock-call"), to_string(opened.call.id));
        f.wait_for_records(1);
        f.runtime.block_on(asking.close());
    }
}

// The engine cannot be reached, and what failed is known before anything else is done.
TEST(Gateway, ACallThatFailedAtOnceIsSettledOnce) {
    Fixture f;
    f.add_engine(whole_answer());
    f.runtime.block_on(f.engines[0]->stop());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 502);
    f.wait_for_records(1);
    EXPECT_EQ(f.server.records.size(), 1U);
    EXPECT_EQ(f.server.repeated, 0);
    f.restart_gateway();
    f.wait_until([&] { return f.gateway->ready(); }, "the routes");
    EXPECT_EQ(f.server.records.size(), 1U);
}

TEST(Gateway, ServesOnWhileTheServerIsAwayAndSettlesEachCallOnce) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_for_records(1);
    f.server.away = true;
    for (int i = 0; i < 20; ++i) EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    EXPECT_EQ(f.server.records.size(), 1U);
    f.server.away = false;
    f.wait_for_records(21);
    EXPECT_EQ(f.server.repeated, 0);
}

TEST(Gateway, ServesKeysThatItKnowsForAnHourWithoutTheServer) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_for_records(1);
    f.server.away = true;
    f.clock.ahead = 55min;
    for (int i = 0; i < 50; ++i) EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    // It looks for the server now and then, not with every call.
    EXPECT_LT(f.server.keys_asked_in_vain, 25);
    f.clock.ahead = 2h;
    const ClientAnswer late = f.ask(std::string(kChat));
    EXPECT_EQ(late.status, 503) << late.body;
    EXPECT_NE(late.body.find("cannot be checked now"), std::string::npos) << late.body;
    f.clock.ahead = {};
    f.server.away = false;
    f.wait_for_records(51);
    EXPECT_EQ(f.server.repeated, 0);
}

// What is not used for half a minute is given back; but not to a server that does not answer.
TEST(Gateway, ServesAQuietKeyForAnHourWithoutTheServer) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_for_records(1);
    f.server.away = true;
    for (const Duration ahead : {10min, 20min, 50min}) {
        const int asked = f.server.leases_asked_in_vain;
        f.clock.ahead = ahead;
        f.wait_until([&] { return f.server.leases_asked_in_vain > asked + 1; }, "two sweeps");
        EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    }
    f.clock.ahead = {};
    f.server.away = false;
    f.wait_for_records(4);
}

TEST(Gateway, CountsTheCallsThatWaitedForTheServer) {
    Fixture f;
    f.add_engine(whole_answer());
    for (int n = 0; n < 3; ++n) EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_until(
        [&] {
            const std::string metrics = f.metrics();
            return metrics.contains("penstock_gateway_calls_waited_total{for=\"key\"} 1\n") &&
                   metrics.contains("penstock_gateway_calls_waited_total{for=\"wallet\"} 1\n") &&
                   metrics.contains("penstock_gateway_calls_waited_total{for=\"concurrency\"} 0\n");
        },
        "the first call waited, for its key and the wallet"
    );
}

// One of two calls at one time is granted, and the first call uses it: the next one would wait.
TEST(Gateway, FetchesWhatRunsLowBesideACallThatWaited) {
    Fixture f;
    f.server.key_limits.emplace().concurrency = 2;
    f.server.limits[R"("concurrency")"] = Units::whole(2);
    f.add_engine(whole_answer());
    f.wait_until([&] { return f.server.leases_asked == 1; }, "the gateway's first question");
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    EXPECT_EQ(f.server.leases_asked, 3) << "one for the call, one beside it";
}

TEST(Gateway, SaysThatItsClockIsAheadRatherThanThatMoneyIsShort) {
    Fixture f;
    f.add_engine(whole_answer());
    f.clock.ahead = 2h;
    const ClientAnswer refused = f.ask(std::string(kChat));
    EXPECT_EQ(refused.status, 503);
    EXPECT_NE(refused.body.find("clock"), std::string::npos) << refused.body;
    f.clock.ahead = {};
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
}

TEST(Gateway, SettlesAfterARestartWhatItCouldNotBefore) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_for_records(1);
    f.server.away = true;
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.stop_gateway(100ms);
    f.server.away = false;
    f.start_gateway();
    f.wait_for_records(2);
    EXPECT_EQ(f.server.records.size(), 2U);
    f.wait_until([&] { return f.gateway->ready(); }, "the routes");
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
}

TEST(Gateway, LetsGoOfWhatAnEarlierProcessHeldWithoutACall) {
    Fixture f;
    f.add_engine(whole_answer());
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.server.away = true;
    f.stop_gateway(100ms);
    EXPECT_GT(f.server.reserved(), Units());
    f.server.away = false;
    f.start_gateway();
    f.wait_until([&] { return f.server.reserved().is_zero(); }, "the earlier lease to end");
}

TEST(Gateway, RefusesCallsWhenItsRecordIsFull) {
    Fixture f({.spool_bytes_max = 1500});
    f.add_engine(whole_answer());
    f.server.away = false;
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_for_records(1);
    f.server.away = true;
    ClientAnswer answer;
    for (int i = 0; i < 5 && answer.status != 503; ++i) answer = f.ask(std::string(kChat));
    EXPECT_EQ(answer.status, 503);
    EXPECT_TRUE(answer.headers.contains("Retry-After"));
    EXPECT_NE(answer.body.find("has no room"), std::string::npos) << answer.body;
    f.server.away = false;
}

TEST(Gateway, PutsARefusedRecordAsideAndSettlesTheOthers) {
    Fixture f;
    f.add_engine(whole_answer());
    f.add_engine(whole_answer(), "bad");
    f.server.bad_model = "bad";
    f.server.refuse_settlements = ErrorCode::invalid_argument;
    std::string bad(kChat);
    bad.replace(bad.find("\"m\""), 3, "\"bad\"");
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    EXPECT_EQ(f.ask(bad).status, 200);
    EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    f.wait_for_records(2);
    f.wait_until(
        [&] { return std::filesystem::exists(f.folder / "refused.jsonl"); }, "refused.jsonl"
    );
    EXPECT_EQ(f.server.records.size(), 2U);
}

}  // namespace
}  // namespace penstock::gateway
