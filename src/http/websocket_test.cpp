// SPDX-License-Identifier: Apache-2.0
#include "http/websocket.h"

#include "http/problem.h"
#include "http/server_fixture.h"

namespace penstock::http {
namespace {

using Messages = std::vector<std::string>;

io::Task<> echo(std::shared_ptr<WebSocket> websocket) {
    while (true) {
        Result<std::optional<WebSocket::Message>> message = co_await websocket->receive();
        if (!message || !*message) co_return;
        if ((*message)->data == "close") {
            co_await websocket->close(WebSocket::kPolicyViolation, "as you wish");
            co_return;
        }
        if ((*message)->text)
            (void)co_await websocket->send_text(std::move((*message)->data));
        else
            (void)co_await websocket->send_binary(std::move((*message)->data));
    }
}

io::Task<> hold(std::shared_ptr<WebSocket> websocket) {
    while (true) {
        const auto message = co_await websocket->receive();
        if (!message || !*message) co_return;
    }
}

io::Task<Response> upgrade(Request request) {
    if (request.headers.get("authorization") == "wrong")
        co_return problem_response({ErrorCode::unauthenticated, "the key is unknown", {}}, request);
    co_return Response::websocket(echo, std::string(request.headers.get("sec-websocket-protocol")));
}

class WebSocketTest : public ServerFixture {
  protected:
    WebSocketTest() {
        router.add("GET", "/echo", upgrade);
        router.add("GET", "/hold", [](Request) -> io::Task<Response> {
            co_return Response::websocket(hold);
        });
    }
    Result<std::unique_ptr<WebSocket>> connect(const std::string& path, Headers headers = {}) {
        return runtime.block_on(client.connect_websocket(
            "ws://127.0.0.1:" + std::to_string(server->local_port()) + path, std::move(headers),
            soon()
        ));
    }
    void say(WebSocket& websocket, std::string text) {
        ASSERT_TRUE(runtime.block_on(websocket.send_text(std::move(text))).has_value());
    }
    // The next message, "closed <code> <reason>", or the error.
    std::string hear(WebSocket& websocket) {
        const auto message = runtime.block_on(websocket.receive());
        if (!message) return message.error().message;
        if (!*message)
            return "closed " + std::to_string(websocket.close_code()) + " " +
                   websocket.close_reason();
        return ((*message)->text ? "text " : "binary ") + (*message)->data;
    }
};

TEST_F(WebSocketTest, CarriesTextAndBinary) {
    start();
    const auto websocket = *connect("/echo", {{"Sec-WebSocket-Protocol", "penstock.v1"}});

    say(*websocket, "hello");
    EXPECT_EQ(hear(*websocket), "text hello");
    ASSERT_TRUE(runtime.block_on(websocket->send_binary(std::string("\0\xFF", 2))).has_value());
    EXPECT_EQ(hear(*websocket), "binary " + std::string("\0\xFF", 2));
    EXPECT_EQ(websocket->subprotocol(), "penstock.v1");
}

TEST_F(WebSocketTest, CarriesAMessageOfSeveralMegabytes) {
    start();
    const auto websocket = *connect("/echo");
    const std::string large(5'000'000, 'x');

    group.spawn([](WebSocket* w, std::string text) -> io::Task<> {
        (void)co_await w->send_text(std::move(text));
    }(websocket.get(), large));

    EXPECT_TRUE(hear(*websocket) == "text " + large);
}

TEST_F(WebSocketTest, RefusesAMessageOverTheLimit) {
    start();
    const auto websocket = *connect("/echo");

    group.spawn([](WebSocket* w) -> io::Task<> {
        (void)co_await w->send_text(std::string(kWebSocketMessageMax + 1, 'x'));
    }(websocket.get()));

    const std::string heard = hear(*websocket);
    EXPECT_TRUE(heard.starts_with("closed 1009") || heard.find("reset") != std::string::npos)
        << heard;
    runtime.block_on(group.close());
}

TEST_F(WebSocketTest, MessagesOfManySendersGoOutWhole) {
    start();
    const auto websocket = *connect("/echo");
    for (int i = 0; i < 100; ++i)
        group.spawn([](WebSocket* w, int n) -> io::Task<> {
            (void)co_await w->send_text(std::to_string(n) + std::string(1000, 'x'));
        }(websocket.get(), i));

    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(hear(*websocket), "text " + std::to_string(i) + std::string(1000, 'x'));
}

TEST_F(WebSocketTest, TheReasonOfAClosureArrives) {
    start();
    const auto websocket = *connect("/echo");

    say(*websocket, "close");

    EXPECT_EQ(hear(*websocket), "closed 1008 as you wish");
    EXPECT_FALSE(websocket->is_open());
    EXPECT_EQ(runtime.block_on(websocket->send_text("late")).error().code, ErrorCode::unavailable);
}

TEST_F(WebSocketTest, APeerThatIsSilentIsGivenUp) {
    start({.websocket_idle_timeout = 60ms});
    const auto websocket = *connect("/hold");

    // The client does not receive, so it answers no ping.
    runtime.block_on([](const Server* s) -> io::Task<> {
        const io::Deadline deadline = soon();
        while (s->connections() > 0 && !deadline.passed()) co_await io::sleep_for(5ms);
    }(&*server));

    EXPECT_EQ(server->connections(), 0U);
}

TEST_F(WebSocketTest, PingsKeepAQuietConnectionOpen) {
    start({.websocket_idle_timeout = 60ms});
    const auto websocket = *connect("/hold");

    const auto message = runtime.block_on(io::race(websocket->receive(), io::sleep_for(300ms)));

    EXPECT_FALSE(message.has_value()) << "it was closed though its peer answers pings";
}

TEST_F(WebSocketTest, ARefusalKeepsItsReason) {
    start();

    const auto refused = connect("/echo", {{"Authorization", "wrong"}});

    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::unauthenticated);
    EXPECT_NE(refused.error().message.find("the key is unknown"), std::string::npos);
}

TEST_F(WebSocketTest, APlainRequestIsToldToUpgrade) {
    start();

    const Result<ClientResponse> answer = get("/echo");

    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 426);
    EXPECT_EQ(answer->headers.get("sec-websocket-version"), "13");
}

TEST_F(WebSocketTest, StopTellsPeersThatTheServerGoesAway) {
    start();
    const auto websocket = *connect("/hold");
    std::string heard;
    group.spawn([](WebSocket* w, std::string* out) -> io::Task<> {
        (void)co_await w->receive();
        *out = std::to_string(w->close_code());
    }(websocket.get(), &heard));

    runtime.block_on(server->stop(soon()));
    runtime.block_on(group.drain(soon()));

    EXPECT_EQ(heard, "1001");
}

TEST_F(WebSocketTest, ACancelledReceiveUnwinds) {
    start();
    const auto websocket = *connect("/hold");

    const auto message = runtime.block_on(io::race(websocket->receive(), io::sleep_for(5ms)));

    EXPECT_FALSE(message.has_value());
}

}  // namespace
}  // namespace penstock::http
