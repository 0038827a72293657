// SPDX-License-Identifier: Apache-2.0
// Clients that go away, and a server that does.
#include "http/server.h"
#include "http/server_fixture.h"
#include "http/sse.h"
#include "io/event.h"

namespace penstock::http {
namespace {

io::Task<Response> hello(Request) { co_return Response::text(200, "hello"); }

class ServerDepartureTest : public ServerFixture {};

// What a streaming handler saw of its client.
struct Seen {
    explicit Seen(io::Executor executor_given)
        : executor(executor_given), changed(executor_given) {}
    io::Executor executor;
    io::Event changed;
    int started = 0;
    int gone = 0;
    int write_failed = 0;
};
io::Task<> until(Seen* seen, int Seen::* count) {
    while (seen->*count == 0) (void)co_await seen->changed.wait(soon());
}
io::Task<> stream_until_it_fails(BodyWriter writer, Seen* seen) {
    SseWriter events(writer);
    for (int i = 0;; ++i) {
        if (!co_await events.send({.data = std::to_string(i)})) break;
        seen->started = 1;
        seen->changed.notify_all();
        co_await io::sleep_for(1ms);
    }
    ++seen->write_failed;
    seen->changed.notify_all();
}
io::Task<Response> wait_for_client(Request request, Seen* seen) {
    seen->started = 1;
    seen->changed.notify_all();
    io::Event never(seen->executor);
    const auto done = co_await request.client.unless_gone(never.wait());
    // The cancellation has ended with the wait: the handler goes on.
    co_await io::sleep_for(1ms);
    if (!done) ++seen->gone;
    seen->changed.notify_all();
    co_return Response::empty();
}
io::Task<> open_and_leave(io::Executor executor, std::uint16_t port, std::string path, Seen* seen) {
    io::Stream stream = *co_await io::connect_tcp(executor, "127.0.0.1", port, soon());
    (void)co_await stream.write("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n", soon());
    co_await until(seen, &Seen::started);
    stream.close();
}

TEST_F(ServerDepartureTest, AStreamNoticesThatItsClientHasGone) {
    Seen seen(runtime.executor());
    router.add("GET", "/events", [&seen](Request) -> io::Task<Response> {
        auto make = [](Seen* s) -> io::Task<Response> {
            co_return Response::event_stream([s](BodyWriter writer) {
                return stream_until_it_fails(writer, s);
            });
        };
        return make(&seen);
    });
    start();

    runtime.block_on(open_and_leave(runtime.executor(), server->local_port(), "/events", &seen));
    runtime.block_on(until(&seen, &Seen::write_failed));

    EXPECT_EQ(seen.write_failed, 1);
}

TEST_F(ServerDepartureTest, AWaitingHandlerNoticesThatItsClientHasGone) {
    Seen seen(runtime.executor());
    router.add("GET", "/wait", [&seen](Request request) {
        return wait_for_client(std::move(request), &seen);
    });
    start();

    runtime.block_on(open_and_leave(runtime.executor(), server->local_port(), "/wait", &seen));
    runtime.block_on(until(&seen, &Seen::gone));

    EXPECT_EQ(seen.gone, 1);
}

io::Task<Response> answer_soon_or_notice(Request request) {
    const auto done =
        co_await request.client.unless_gone([](std::string path) -> io::Task<std::string> {
            co_await io::sleep_for(20ms);
            co_return path;
        }(request.target));
    co_return Response::text(200, done.value_or("gone"));
}

TEST_F(ServerDepartureTest, WatchingTheClientKeepsPipelinedRequests) {
    router.add("GET", "/watched", answer_soon_or_notice);
    start();

    const std::string answers =
        raw("GET /watched?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /watched?2 HTTP/1.1\r\nHost: "
            "x\r\nConnection: close\r\n\r\n");

    EXPECT_NE(answers.find("/watched?1"), std::string::npos);
    EXPECT_TRUE(answers.ends_with("/watched?2"));
}

TEST_F(ServerDepartureTest, StopLetsRequestsFinishAndClosesIdleConnections) {
    router.add("GET", "/watched", answer_soon_or_notice);
    router.add("GET", "/hello", hello);
    start();
    ASSERT_TRUE(get("/hello").has_value());
    std::optional<Result<ClientResponse>> answer;
    group.spawn(
        [](Client* c, std::string url, std::optional<Result<ClientResponse>>* out) -> io::Task<> {
            *out = co_await c->send({.url = url}, soon());
        }(&client, server->url() + "/watched?x", &answer)
    );
    runtime.block_on(io::sleep_for(5ms));

    runtime.block_on(server->stop(soon()));
    runtime.block_on(group.drain(soon()));

    ASSERT_TRUE(answer.has_value() && answer->has_value());
    EXPECT_EQ((*answer)->body, "/watched?x");
    EXPECT_EQ((*answer)->headers.get("connection"), "close");
    EXPECT_EQ(server->connections(), 0U);
}

TEST_F(ServerDepartureTest, StopEndsAHandlerThatWaitsForItsClientTooLong) {
    Seen seen(runtime.executor());
    router.add("GET", "/wait", [&seen](Request request) {
        return wait_for_client(std::move(request), &seen);
    });
    start();
    group.spawn([](Client* c, std::string url) -> io::Task<> {
        (void)co_await c->send({.url = url}, soon());
    }(&client, server->url() + "/wait"));
    runtime.block_on(until(&seen, &Seen::started));

    runtime.block_on(server->stop(io::Deadline::after(5ms)));

    EXPECT_EQ(seen.gone, 1) << "it is let go of, so that it can say a last word";
    EXPECT_EQ(server->connections(), 0U);
    runtime.block_on(group.drain(soon()));
}

io::Task<> ask_into(Client* client, std::string url, Result<ClientResponse>* out) {
    *out = co_await client->send({.url = std::move(url)}, soon());
}

TEST_F(ServerDepartureTest, AServerThatStopsLetsGoOfHandlersThatWaitAndSendsWhatTheySay) {
    Seen seen(runtime.executor());
    router.add("GET", "/wait", [&seen](Request request) {
        return wait_for_client(std::move(request), &seen);
    });
    start();
    Result<ClientResponse> answer = fail(ErrorCode::internal, "none yet");
    group.spawn(ask_into(&client, server->url() + "/wait", &answer));
    runtime.block_on(until(&seen, &Seen::started));

    const bool drained = runtime.block_on(server->drain(io::Deadline::after(10ms)));
    EXPECT_EQ(seen.gone, 0) << "a drain cuts nothing off";
    runtime.block_on(server->stop(io::Deadline::after(0s)));
    EXPECT_TRUE(runtime.block_on(group.drain(soon())));

    EXPECT_FALSE(drained);
    EXPECT_EQ(seen.gone, 1);
    ASSERT_TRUE(answer) << to_string(answer.error());
    EXPECT_EQ(answer->status, 204);
}

}  // namespace
}  // namespace penstock::http
