// SPDX-License-Identifier: Apache-2.0
#include "tasks/load_book.h"

#include <gtest/gtest.h>

#include <cmath>

namespace penstock::tasks {
namespace {

const TaskId kTask{RawId{1, 1}};
const RunId kFirstRun{RawId{2, 1}}, kSecondRun{RawId{2, 2}};
const EndpointId kEndpoint{RawId{3, 1}};
constexpr Duration kWindow = 30s;

struct Book {
    LoadBook book;
    Time now{1'700'000'000s};

    ReportLoads of(std::string gateway, std::int64_t calls, std::int64_t tokens) const {
        return {
            .replica = std::move(gateway),
            .run = kFirstRun,
            .routes_version = 1,
            .services = {{.task_id = kTask, .calls_arrived = calls, .tokens_arrived = tokens}}
        };
    }
    void hear(const ReportLoads& report) {
        const Result<void> taken = book.report(report, now);
        EXPECT_TRUE(taken) << to_string(taken.error());
    }
    std::string taken() {
        const ServiceLoad load = book.take(kTask, kWindow, now);
        return std::to_string(load.calls_arrived) + " calls " +
               std::to_string(load.tokens_arrived) + " tokens " +
               std::to_string(load.calls_in_flight) + " in flight";
    }
    std::string callers() const {
        std::string all;
        for (const CallerShare& caller : book.callers(kTask, now))
            all += caller.region + " " + std::to_string(std::lround(caller.share * 100)) + " ";
        return all;
    }
};

TEST(LoadBook, AddsUpWhatSeveralGatewaysReport) {
    Book b;
    b.hear(b.of("g1", 0, 0));
    b.hear(b.of("g2", 0, 0));
    ReportLoads one = b.of("g1", 5, 500), other = b.of("g2", 2, 50);
    one.services[0].calls_in_flight = 3;
    other.services[0].calls_in_flight = 1;

    b.hear(one);
    b.hear(other);

    EXPECT_EQ(b.taken(), "7 calls 550 tokens 4 in flight");
    EXPECT_EQ(b.taken(), "0 calls 0 tokens 4 in flight");
}

TEST(LoadBook, ARepeatedOrLostReportChangesNothing) {
    Book b;
    b.hear(b.of("g1", 0, 0));
    b.hear(b.of("g1", 4, 40));
    b.hear(b.of("g1", 4, 40));
    b.hear(b.of("g1", 9, 90));
    EXPECT_EQ(b.taken(), "9 calls 90 tokens 0 in flight");
}

TEST(LoadBook, CountingBeginsWhereAProcessIsFirstHeardOf) {
    Book b;
    b.hear(b.of("g1", 100'000, 9'000'000));
    EXPECT_EQ(b.taken(), "0 calls 0 tokens 0 in flight");
    ReportLoads next = b.of("g1", 70'000, 1);
    next.run = kSecondRun;
    b.hear(next);
    EXPECT_EQ(b.taken(), "0 calls 0 tokens 0 in flight");
}

TEST(LoadBook, AServiceThatAKnownGatewayDidNotReportBeforeCountsFromNothing) {
    Book b;
    b.hear({.replica = "g1", .run = kFirstRun});
    b.hear(b.of("g1", 3, 30));
    EXPECT_EQ(b.taken(), "3 calls 30 tokens 0 in flight");
}

TEST(LoadBook, ASilentGatewayCountsForNothing) {
    Book b;
    ReportLoads busy = b.of("g1", 1, 1);
    busy.services[0].calls_in_flight = 7;
    b.hear(busy);
    b.now += LoadBook::kSilentAfter + 1s;
    EXPECT_EQ(b.taken(), "0 calls 0 tokens 0 in flight");
    busy.services[0].calls_arrived = 500;
    b.hear(busy);
    EXPECT_EQ(b.taken(), "0 calls 0 tokens 7 in flight");
}

TEST(LoadBook, CorrectsWhatWasExpectedOfACallAtItsEnd) {
    Book b;
    b.hear(b.of("g1", 0, 0));
    b.hear(b.of("g1", 1, 300));
    b.hear(b.of("g1", 1, 120));
    EXPECT_EQ(b.taken(), "1 calls 120 tokens 0 in flight");
}

TEST(LoadBook, TakesThePercentileOverAllGatewaysAndForgetsOldStreams) {
    Book b;
    b.hear(b.of("g1", 0, 0));
    b.hear(b.of("g2", 0, 0));
    ReportLoads fast = b.of("g1", 30, 30), slow = b.of("g2", 10, 10);
    for (int i = 0; i < 30; ++i) fast.services[0].first_tokens.count(100ms);
    for (int i = 0; i < 10; ++i) slow.services[0].first_tokens.count(4s);
    b.hear(fast);
    b.hear(slow);

    const ServiceLoad now = b.book.take(kTask, kWindow, b.now);
    const ServiceLoad later = b.book.take(kTask, kWindow, b.now + kWindow + 1s);

    ASSERT_TRUE(now.first_token_p95);
    EXPECT_GT(*now.first_token_p95, 3s);
    EXPECT_FALSE(later.first_token_p95);
}

TEST(LoadBook, TellsWhereCallsComeFromByTheGatewaysRegions) {
    Book b;
    ReportLoads north = b.of("g1", 0, 0), south = b.of("g2", 0, 0), nowhere = b.of("g3", 0, 0);
    north.region = "cn-beijing";
    south.region = "cn-hubei";
    for (const ReportLoads& report : {north, south, nowhere}) b.hear(report);
    EXPECT_EQ(b.callers(), "");
    north.services[0].calls_arrived = 30;
    south.services[0].calls_arrived = 10;
    nowhere.services[0].calls_arrived = 1000;
    for (const ReportLoads& report : {north, south, nowhere}) b.hear(report);
    EXPECT_EQ(b.callers(), "cn-beijing 75 cn-hubei 25 ");
}

TEST(LoadBook, TellsWhereTheFirstHeldCallComesFrom) {
    Book b;
    ReportLoads waits = b.of("g1", 0, 0);
    waits.region = "cn-hubei";
    waits.services[0].calls_in_flight = waits.services[0].calls_held = 1;
    b.hear(waits);
    EXPECT_EQ(b.callers(), "cn-hubei 100 ");
}

TEST(LoadBook, AnEndpointIsDrainedWhenEveryGatewayHasLeftIt) {
    Book b;
    ReportLoads one = b.of("g1", 0, 0), other = b.of("g2", 0, 0);
    b.hear(one);
    b.hear(other);
    EXPECT_FALSE(b.book.is_drained(kEndpoint, 1, b.now));  // a third one may not have spoken yet
    b.now += 10s;
    b.hear(one);
    b.hear(other);
    b.now += 6s;
    EXPECT_TRUE(b.book.is_drained(kEndpoint, 1, b.now));
    EXPECT_FALSE(b.book.is_drained(kEndpoint, 2, b.now));
    one.routes_version = other.routes_version = 2;
    other.leaving = {kEndpoint};
    b.hear(one);
    b.hear(other);
    EXPECT_FALSE(b.book.is_drained(kEndpoint, 2, b.now));
    other.leaving.clear();
    b.hear(other);
    EXPECT_TRUE(b.book.is_drained(kEndpoint, 2, b.now));
}

TEST(LoadBook, RefusesWhatIsTooMuchOrMakesNoSense) {
    Book b;
    const auto field = [&](const ReportLoads& report) {
        return b.book.report(report, b.now).error().field;
    };
    EXPECT_EQ(field({.run = kFirstRun}), "replica");
    ReportLoads negative = b.of("g1", -1, 0);
    EXPECT_EQ(field(negative), "services[0]");
    ReportLoads many{.replica = "g1", .run = kFirstRun};
    many.services.resize(LoadBook::kServicesMax + 1);
    EXPECT_EQ(field(many), "services");
    for (std::size_t i = 0; i < LoadBook::kGatewaysMax; ++i) b.hear(b.of(std::to_string(i), 0, 0));
    EXPECT_EQ(
        b.book.report(b.of("one more", 0, 0), b.now).error().code, ErrorCode::resource_exhausted
    );
}

}  // namespace
}  // namespace penstock::tasks
