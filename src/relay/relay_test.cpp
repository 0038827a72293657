// SPDX-License-Identifier: Apache-2.0
#include "relay/relay.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>

#include "http/client.h"
#include "http/server.h"
#include "io/event.h"
#include "relay/engine_set.h"

namespace penstock::relay {
namespace {

constexpr Duration kTestTimeout = 20s;
io::Deadline soon() { return io::Deadline::after(kTestTimeout); }

// What an engine was asked, and how it answers.
class Engine {
  public:
    explicit Engine(io::Runtime& runtime) : left(runtime.executor()), runtime_(runtime) {
        for (const char* method : {"GET", "POST"})
            router_.add(method, "/v1/{path...}", [this](http::Request request) {
                return serve(std::move(request));
            });
        server_.emplace(runtime_, router_, http::ServerOptions{});
        EXPECT_TRUE(server_->start());
        url_ = server_->url();
    }
    ~Engine() { stop(); }
    void stop() {
        if (server_) runtime_.block_on(server_->stop(io::Deadline::after(0s)));
        server_.reset();
    }
    const std::string& url() const { return url_; }

    std::vector<http::Request> requests;
    std::vector<std::string> pieces;  // streamed; none: an answer in one piece
    bool cut = false;                 // after the pieces
    bool silent = false;              // after the pieces, until the caller has gone
    io::Event left;
    int callers_left = 0;

  private:
    io::Task<http::Response> serve(http::Request request) {
        http::ClientWatch caller = request.client;
        requests.push_back(std::move(request));
        if (pieces.empty() && !silent) {
            http::Response whole =
                http::Response::json(201, R"({"echo":)" + requests.back().body + "}");
            whole.headers.set("Set-Cookie", "secret=of-engine");
            whole.headers.set("x-engine", "a");
            co_return whole;
        }
        co_return http::Response::event_stream([this, caller](http::BodyWriter writer) {
            return write(writer, caller);
        });
    }
    io::Task<void> write(http::BodyWriter writer, http::ClientWatch caller) {
        for (const std::string& piece : pieces) (void)co_await writer.write(piece);
        if (silent) {
            co_await caller.gone();
            ++callers_left;
            left.notify_all();
        }
        if (cut) writer.abort();
    }

    io::Runtime& runtime_;
    http::Router router_;
    std::optional<http::Server> server_;
    std::string url_;
};

class RelayTest : public testing::Test {
  protected:
    ~RelayTest() override {
        if (server_) runtime.block_on(server_->stop(io::Deadline::after(0s)));
    }
    void open(RelayOptions options) {
        options.key = kKey;
        Result<std::unique_ptr<Relay>> made =
            Relay::open(std::move(options), {runtime, clock, random, {}, metrics});
        ASSERT_TRUE(made.has_value()) << made.error().message;
        relay = *std::move(made);
        relay->add_routes(router_);
        server_.emplace(runtime, router_, http::ServerOptions{});
        ASSERT_TRUE(server_->start());
    }
    http::ClientRequest post(std::string body, http::Headers more = {}) const {
        http::ClientRequest request{
            .method = "POST", .url = server_->url() + "/v1/chat/completions?a=b%20c"
        };
        request.headers = std::move(more);
        if (!request.headers.contains("Authorization"))
            request.headers.set("Authorization", std::string("Bearer ") + kKey);
        request.body = std::move(body);
        return request;
    }
    Result<http::ClientResponse> send(http::ClientRequest request) {
        return runtime.block_on(client.send(std::move(request), soon()));
    }

    // A request with half its body.
    io::Task<Result<io::Stream>> begin_slowly() {
        io::Stream stream = CO_TRY(
            co_await io::connect_tcp(runtime.executor(), "127.0.0.1", server_->local_port(), soon())
        );
        const std::string bytes = fmt::format(
            "POST /v1/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n"
            "Content-Length: 10\r\n\r\n12345",
            kKey
        );
        CO_TRY(co_await stream.write(bytes, soon()));
        co_return stream;
    }

    static constexpr const char* kKey = "a-key-of-this-test";
    io::Runtime runtime;
    SystemClock clock;
    SeededRandom random{1};
    telemetry::Registry metrics;
    std::unique_ptr<Relay> relay;
    http::Client client{runtime};

  private:
    http::Router router_;
    std::optional<http::Server> server_;
};

TEST_F(RelayTest, PassesARequestAndItsAnswerOnWithoutWhatBelongsToEitherSide) {
    Engine engine(runtime);
    open({.engines = {engine.url() + "/"}, .engine_key = "of-the-engine"});
    const Result<http::ClientResponse> answer =
        send(post("[1]", {{"Cookie", "mine"}, {"x-api-key", "k"}, {"traceparent", "00-1"}}));
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->body, R"({"echo":[1]})");
    EXPECT_EQ(answer->headers.get("x-engine"), "a");
    EXPECT_FALSE(answer->headers.contains("Set-Cookie"));
    ASSERT_EQ(engine.requests.size(), 1U);
    const http::Request& asked = engine.requests[0];
    EXPECT_EQ(asked.target, "/v1/chat/completions?a=b%20c");
    EXPECT_EQ(asked.headers.get("Authorization"), "Bearer of-the-engine");
    EXPECT_EQ(asked.headers.get("traceparent"), "00-1");
    EXPECT_FALSE(asked.headers.contains("Cookie"));
    EXPECT_FALSE(asked.headers.contains("x-api-key"));
    EXPECT_EQ(asked.request_id, answer->headers.get("X-Request-Id"));
}

TEST_F(RelayTest, AsksNoEngineForWhoeverShowsAnotherKey) {
    Engine engine(runtime);
    open({.engines = {engine.url()}});
    for (const char* shown : {"Bearer a-key-of-this-tesT", "Bearer ", "Basic x", "Bearer a-key"})
        EXPECT_EQ(send(post("1", {{"Authorization", shown}}))->status, 401) << shown;
    EXPECT_TRUE(engine.requests.empty());
    EXPECT_EQ(send(post("1", {{"Authorization", "x"}, {"x-api-key", kKey}}))->status, 201);
}

TEST_F(RelayTest, PassesOnWhatIsBelowTheInferencePathsAlone) {
    Engine engine(runtime);
    open({.engines = {engine.url()}});
    http::ClientRequest request = post("1");
    request.url.replace(request.url.find("/v1/"), 4, "/admin/");
    EXPECT_EQ(send(std::move(request))->status, 404);
    EXPECT_TRUE(engine.requests.empty());
}

TEST_F(RelayTest, PassesALongBodyOnAsItComes) {
    Engine engine(runtime);
    open({.engines = {engine.url()}});
    const std::string body = '"' + std::string(Relay::kBodyKeptMax, 'x') + '"';
    const Result<http::ClientResponse> answer = send(post(body));
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->body.size(), body.size() + std::string_view(R"({"echo":})").size());
}

TEST_F(RelayTest, PassesAStreamOnWhole) {
    Engine engine(runtime);
    for (int n = 0; n < 100; ++n) engine.pieces.push_back(fmt::format("data: {}\n\n", n));
    open({.engines = {engine.url()}});
    const Result<http::ClientResponse> answer = send(post("1"));
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    std::string all;
    for (const std::string& piece : engine.pieces) all += piece;
    EXPECT_EQ(answer->body, all);
    EXPECT_EQ(answer->headers.get("Content-Type"), "text/event-stream");
}

TEST_F(RelayTest, ACutAnswerIsCutForTheCaller) {
    Engine engine(runtime);
    engine.pieces = {"data: 1\n\n"};
    engine.cut = true;
    open({.engines = {engine.url()}});
    const Result<http::ClientResponse> answer = send(post("1"));
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
}

TEST_F(RelayTest, EndsTheEnginesWorkWhenTheCallerLeaves) {
    Engine engine(runtime);
    engine.pieces = {"data: 1\n\n"};
    engine.silent = true;
    open({.engines = {engine.url()}});
    {
        Result<http::ResponseStream> stream = runtime.block_on(client.open(post("1"), soon()));
        ASSERT_TRUE(stream.has_value()) << stream.error().message;
        EXPECT_EQ(*runtime.block_on(stream->read(soon())), "data: 1\n\n");
    }
    ASSERT_TRUE(runtime.block_on(engine.left.wait(soon())) || engine.callers_left == 1);
    EXPECT_EQ(engine.callers_left, 1);
}

TEST_F(RelayTest, AsksAnotherEngineWhereOneCannotBeReached) {
    Engine one(runtime);
    Engine two(runtime);
    open({.engines = {one.url(), two.url()}});
    one.stop();
    for (int n = 0; n < 20; ++n) EXPECT_EQ(send(post(std::to_string(n)))->status, 201);
    EXPECT_EQ(two.requests.size(), 20U);
    EXPECT_TRUE(relay->ready());
    EXPECT_TRUE(metrics.render().contains("penstock_relay_engines_available 1"));
    two.stop();
    const Result<http::ClientResponse> none = send(post("1"));
    EXPECT_EQ(none->status, 503);
    EXPECT_EQ(none->headers.get("Retry-After"), "1");
    for (const Engine* engine : {&one, &two})
        EXPECT_FALSE(none->body.contains(engine->url())) << "callers need not know where it is";
    EXPECT_FALSE(relay->ready());
}

TEST_F(RelayTest, RefusesMoreThanItMayCarry) {
    Engine engine(runtime);
    engine.pieces = {"data: 1\n\n"};
    engine.silent = true;
    open({.engines = {engine.url()}, .calls_max = 1});
    Result<http::ResponseStream> first = runtime.block_on(client.open(post("1"), soon()));
    ASSERT_TRUE(first.has_value());
    const Result<http::ClientResponse> second = send(post("2"));
    EXPECT_EQ(second->status, 503);
    EXPECT_EQ(engine.requests.size(), 1U);
}

TEST_F(RelayTest, ARequestWhoseBodyIsStillComingHasItsPlace) {
    Engine engine(runtime);
    open({.engines = {engine.url()}, .calls_max = 1});
    io::Stream slow = runtime.block_on(begin_slowly()).value();
    // The relay may see the second request first: then it is served, and tried again.
    const io::Deadline deadline = soon();
    int status = 201;
    while (status == 201 && !deadline.passed()) status = send(post("2"))->status;
    EXPECT_EQ(status, 503);
    slow.close();
    while (status == 503 && !deadline.passed()) status = send(post("3"))->status;
    EXPECT_EQ(status, 201);
}

TEST_F(RelayTest, NamesTheOptionThatIsWrong) {
    const auto error = [&](RelayOptions options) {
        const auto made = Relay::open(std::move(options), {runtime, clock, random, {}, metrics});
        return made ? std::string("none") : made.error().field;
    };
    EXPECT_EQ(error({}), "--engine");
    EXPECT_EQ(error({.engines = {"10.0.0.7:8000"}}), "--engine");
    EXPECT_EQ(error({.engines = {"http://a/?b"}}), "--engine");
    EXPECT_EQ(error({.engines = {EngineSet::kEnginesMax + 1, "http://a"}}), "--engine");
    EXPECT_EQ(error({.engines = {"http://a"}, .key = "short"}), "--key-file");
}

}  // namespace
}  // namespace penstock::relay
