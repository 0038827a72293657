// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include "gateway/gateway_fixture.h"
#include "io/task_group.h"

// Connections to engines are kept; an engine may let go of one at any time.
namespace penstock::gateway {
namespace {

constexpr std::string_view kChat =
    R"({"model":"m","messages":[{"role":"user","content":"hello"}],"max_tokens":50})";

// An engine that lets go of a kept connection at the very moment at which the next call comes on
// it, as engines do whose keep-alive time runs out.
class ForgetfulEngine {
  public:
    explicit ForgetfulEngine(io::Runtime& runtime)
        : listener_(*io::Listener::bind(runtime.executor(), {})),
          group_(runtime.executor(), "engine") {
        group_.spawn(accept());
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(listener_.local_port()); }
    io::Task<> close() { co_await group_.close(); }
    int connections = 0;

  private:
    io::Task<> accept() {
        while (true) {
            Result<io::Stream> stream = co_await listener_.accept();
            if (stream) group_.spawn(answer_once(*std::move(stream)));
        }
    }
    io::Task<> answer_once(io::Stream stream) {
        ++connections;
        const std::string body =
            R"({"id":"c","object":"chat.completion","model":"upstream-model","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":6,"completion_tokens":3,"total_tokens":9}})";
        const std::string whole =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        std::array<char, 65536> buffer;
        if (!co_await stream.read_some(buffer)) co_return;
        (void)co_await stream.write(whole);
        (void)co_await stream.read_some(buffer);
    }

    io::Listener listener_;
    io::TaskGroup group_;
};

TEST(KeptConnection, ThatDiesUnderACallIsNoFailure) {
    Fixture f;
    ForgetfulEngine engine(f.runtime);
    f.routes.push_back(route_to(engine.url(), "m"));
    f.apply_routes();

    for (int i = 0; i < 3; ++i) EXPECT_EQ(f.ask(std::string(kChat)).status, 200);

    EXPECT_EQ(engine.connections, 3);
    f.wait_for_records(3);
    for (const auto& [id, call] : f.server.records) {
        EXPECT_EQ(call.status, 200);
        EXPECT_EQ(call.end_reason, EndReason::done);
        EXPECT_EQ(call.tokens.output_visible, 3);
    }
    f.runtime.block_on(engine.close());
}

}  // namespace
}  // namespace penstock::gateway
