// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "gateway/gateway_fixture.h"
#include "io/stream.h"
#include "io/task_group.h"

namespace penstock::gateway {
namespace {

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

TEST(Upstream, AKeptConnectionThatDiesUnderACallIsNoFailure) {
    Fixture f;
    ForgetfulEngine engine(f.runtime);
    f.routes.push_back(route_to(engine.url(), "m"));
    f.apply_routes();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(f.ask(std::string(kChat)).status, 200);
    EXPECT_EQ(engine.connections, 3);
    f.wait_for_records(3);
    for (const auto& [id, call] : f.server.records) EXPECT_EQ(call.end_reason, EndReason::done);
    f.runtime.block_on(engine.close());
}

constexpr Duration kTestTimeout = 30s;
constexpr std::size_t kEvents = 48;
constexpr std::size_t kEventText = 512UL * 1024;  // together more than the kernel keeps

EngineScript long_stream() {
    const std::string text(kEventText, 'z');
    EngineScript script;
    for (std::size_t i = 0; i < kEvents; ++i)
        script.pieces.push_back(
            R"(data: {"choices":[{"index":0,"delta":{"content":")" + text + "\"}}]}\n\n"
        );
    script.pieces.emplace_back(
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        "data: [DONE]\n\n"
    );
    return script;
}

// Reads a little in each turn of the loop, in which engine and gateway write what they can.
io::Task<std::string> read_slowly(io::Executor executor, std::uint16_t port, std::string request) {
    const io::Deadline until = io::Deadline::after(kTestTimeout);
    io::Stream stream = *co_await io::connect_tcp(executor, "127.0.0.1", port, until);
    (void)co_await stream.write(request, until);
    std::string all;
    std::array<char, 16384> buffer;
    while (!all.ends_with("\r\n0\r\n\r\n")) {
        const Result<std::size_t> size = co_await stream.read_some(buffer, until);
        if (!size || *size == 0) co_return all + "<cut>";
        all.append(buffer.data(), *size);
        co_await io::yield_now();
    }
    co_return all;
}

TEST(Upstream, AClientThatReadsSlowlyGetsTheWholeStream) {
    Fixture f;
    f.add_engine(long_stream());
    const std::string body =
        R"({"model":"m","messages":[{"role":"user","content":"long, please"}],"max_tokens":64,"stream":true})";
    const std::string request =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + f.key +
        "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;

    const std::string answer =
        f.runtime.block_on(read_slowly(f.runtime.executor(), f.front->local_port(), request));

    const std::size_t begin = answer.find("\r\n\r\n");
    ASSERT_NE(begin, std::string::npos) << answer.substr(0, 500);
    EXPECT_EQ(
        std::count(answer.begin() + static_cast<std::ptrdiff_t>(begin), answer.end(), 'z'),
        static_cast<std::ptrdiff_t>(kEvents * kEventText)
    );
    EXPECT_NE(answer.find("data: [DONE]"), std::string::npos);
    f.wait_for_records(1);
    const CallRecord& call = f.server.records.begin()->second;
    EXPECT_EQ(call.end_reason, EndReason::done);
    EXPECT_EQ(call.tokens.output_visible, static_cast<std::int64_t>(kEvents));
}

// Anthropic's engines say 529 where others say 503.
TEST(Upstream, AnOverloadedEngineIsToldAsOneThatCannotServeNow) {
    for (const char* protocol : {"openai", "anthropic"}) {
        Fixture f;
        f.add_engine(
            {.status = 529,
             .content_type = "application/json",
             .headers = {{"Retry-After", "7"}},
             .pieces = {"{}"}},
            "m", protocol
        );
        const ClientAnswer answer = f.ask(std::string(kChat));
        EXPECT_EQ(answer.status, 503) << protocol;
        EXPECT_EQ(answer.headers.get("Retry-After"), "7") << protocol;
    }
}

TEST(Upstream, AnAnswerAboveTheGatewaysLimitIsToldAsThatAndIsNoFailureOfTheEngine) {
    constexpr int kAsked = 6;  // of each: together more failures than a breaker forgives
    Fixture f({.response_body_max = 1000});
    EngineScript long_answer = whole_answer();
    long_answer.pieces = {std::string(2000, ' '), long_answer.pieces.at(0)};
    f.add_engine(long_answer);

    std::vector<ClientAnswer> answers;
    for (int i = 0; i < kAsked; ++i) {
        answers.push_back(f.ask(std::string(kChat)));
        answers.push_back(f.ask_at("/v1/messages", std::string(kChat)));
    }

    for (const ClientAnswer& answer : answers) {
        EXPECT_EQ(answer.status, 502);
        EXPECT_NE(
            answer.body.find("the engine's answer is larger than the 1000 bytes that the gateway "
                             "reads of one that comes whole: stream it, or ask for less"),
            std::string::npos
        ) << answer.body;
    }
    EXPECT_EQ(f.engines[0]->requests.size(), 2U * kAsked) << "its breaker stays closed";
    f.wait_for_records(answers.size());
    for (const auto& [id, record] : f.server.records) {
        EXPECT_EQ(record.end_reason, EndReason::refused);
        EXPECT_EQ(record.tokens.output_visible, 0);
    }
}

}  // namespace
}  // namespace penstock::gateway
