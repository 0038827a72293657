// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <deque>

#include "http/server_fixture.h"

namespace penstock::http {
namespace {

// A server that plays what a test tells it: for each connection a list of answers, one per request.
class Script {
  public:
    explicit Script(io::Runtime& runtime)
        : executor_(runtime.executor()), group_(executor_, "script") {
        listener_.emplace(*io::Listener::bind(executor_, {}));
        group_.spawn(accept());
    }
    io::Task<> close() { co_await group_.close(); }
    std::string url() const {
        return "http://127.0.0.1:" + std::to_string(listener_->local_port());
    }
    // An empty answer closes the connection without one; "..." at its end keeps it open.
    void connection(std::deque<std::string> answers) { connections_.push_back(std::move(answers)); }
    const std::vector<std::string>& requests() const { return requests_; }

  private:
    io::Task<> accept() {
        while (true) {
            Result<io::Stream> stream = co_await listener_->accept();
            if (!stream || connections_.empty()) continue;
            group_.spawn(play(*std::move(stream), std::move(connections_.front())));
            connections_.pop_front();
        }
    }
    io::Task<> play(io::Stream stream, std::deque<std::string> answers) {
        std::array<char, 65536> buffer;
        for (const std::string& answer : answers) {
            const Result<std::size_t> size = co_await stream.read_some(buffer);
            if (!size || *size == 0) co_return;
            requests_.emplace_back(buffer.data(), *size);
            if (answer.empty()) co_return;
            const bool stays = answer.ends_with("...");
            (void)co_await stream.write(
                std::string_view(answer).substr(0, answer.size() - (stays ? 3 : 0))
            );
            if (stays) co_await io::sleep_for(1h);
        }
        // The next read shows the client what it needs to see: an end.
    }

    io::Executor executor_;
    io::TaskGroup group_;
    std::optional<io::Listener> listener_;
    std::deque<std::deque<std::string>> connections_;
    std::vector<std::string> requests_;
};

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ClientTest : public testing::Test {
  protected:
    ~ClientTest() override { runtime.block_on(script.close()); }
    Result<ClientResponse> send(const std::string& method = "GET", std::string body = {}) {
        return runtime.block_on(client.send(
            {.method = method, .url = script.url() + "/p?q", .body = std::move(body)}, soon()
        ));
    }
    std::string body(const std::string& method = "GET") {
        const Result<ClientResponse> response = send(method);
        return response ? response->body : to_string(response.error());
    }
    // Reads to the end: all pieces, then "|end" or the error.
    std::string read(ResponseStream& stream, io::Deadline deadline = soon()) {
        std::string all;
        while (true) {
            const Result<std::string_view> piece = runtime.block_on(stream.read(deadline));
            if (!piece) return all + "|" + std::string(info(piece.error().code).name);
            if (piece->empty()) return all + "|end";
            all += *piece;
        }
    }
    Result<ResponseStream> open() {
        return runtime.block_on(client.open({.url = script.url()}, soon()));
    }
    io::Runtime runtime;
    Script script{runtime};
    Client client{runtime};
};

TEST_F(ClientTest, SendsAWellFormedRequest) {
    script.connection({kOk});

    const Result<ClientResponse> response = runtime.block_on(client.send(
        {.method = "POST",
         .url = script.url() + "/p?q",
         .headers = {{"A", "b"}, {"Host", "evil"}},
         .body = "hi"},
        soon()
    ));

    ASSERT_TRUE(response.has_value());
    const std::string host = script.url().substr(7);
    EXPECT_EQ(
        script.requests()[0], "POST /p?q HTTP/1.1\r\nHost: " + host +
                                  "\r\nUser-Agent: penstock\r\nA: b\r\nContent-Length: 2\r\n\r\nhi"
    );
}

TEST_F(ClientTest, KeepsConnections) {
    script.connection({kOk, kOk});

    EXPECT_EQ(body(), "ok");
    EXPECT_EQ(body(), "ok");

    EXPECT_EQ(script.requests().size(), 2U);
}

TEST_F(ClientTest, ReadsOverInterimAnswers) {
    script.connection(
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
         std::string(kOk)}
    );

    EXPECT_EQ(body(), "ok");
}

TEST_F(ClientTest, RepeatsOnANewConnectionWhenAKeptOneDiesBeforeTheAnswer) {
    script.connection({kOk, ""});
    script.connection({kOk});
    ASSERT_EQ(body(), "ok");

    EXPECT_EQ(body("GET"), "ok");
    EXPECT_EQ(script.requests().size(), 3U);
}

TEST_F(ClientTest, DoesNotRepeatWhatMayHaveHadAnEffect) {
    script.connection({kOk, ""});
    script.connection({kOk});
    ASSERT_EQ(body(), "ok");

    EXPECT_TRUE(body("POST").starts_with("unavailable: "));
    EXPECT_EQ(script.requests().size(), 2U);
}

TEST_F(ClientTest, RepeatsWhatIsSaidToBeRepeatable) {
    script.connection({kOk, ""});
    script.connection({kOk});
    ASSERT_EQ(body(), "ok");

    ClientRequest request{.method = "POST", .url = script.url(), .repeatable = true};
    const Result<ClientResponse> response =
        runtime.block_on(client.send(std::move(request), soon()));
    ASSERT_TRUE(response) << to_string(response.error());
    EXPECT_EQ(response->body, "ok");
    EXPECT_EQ(script.requests().size(), 3U);
}

TEST_F(ClientTest, TellsOnceThatARequestHasGoneOutBeforeItsAnswerIsThere) {
    script.connection({kOk, ""});
    script.connection({kOk});
    ASSERT_EQ(body(), "ok");

    std::vector<std::size_t> answered;  // requests that had been, when it was told
    const Result<ClientResponse> response = runtime.block_on(client.send(
        {.method = "GET",
         .url = script.url(),
         .on_sent = [&] { answered.push_back(script.requests().size()); }},
        soon()
    ));
    ASSERT_TRUE(response) << to_string(response.error());
    EXPECT_EQ(script.requests().size(), 3U) << "it was repeated";
    EXPECT_EQ(answered, std::vector<std::size_t>{1U});
}

TEST_F(ClientTest, DoesNotRepeatOnAFirstConnection) {
    script.connection({""});
    script.connection({kOk});

    EXPECT_TRUE(body("GET").starts_with("unavailable: "));
}

TEST_F(ClientTest, TellsACutBodyFromAWholeOne) {
    script.connection({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"});
    script.connection({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"});
    script.connection({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"}
    );
    script.connection({"HTTP/1.1 200 OK\r\n\r\nabc"});
    Result<ResponseStream> cut_chunks = open();
    Result<ResponseStream> cut_length = open();
    Result<ResponseStream> chunks = open();
    Result<ResponseStream> until_close = open();

    EXPECT_EQ(read(*cut_chunks), "abc|unavailable");
    EXPECT_EQ(read(*cut_length), "abc|unavailable");
    EXPECT_EQ(read(*chunks), "abc|end");
    EXPECT_EQ(read(*until_close), "abc|end");
}

TEST_F(ClientTest, ADeadlineBetweenPiecesLeavesTheStreamReadable) {
    script.connection({"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc..."});
    Result<ResponseStream> stream = open();

    EXPECT_EQ(read(*stream, io::Deadline::after(30ms)), "abc|deadline_exceeded");
    EXPECT_EQ(read(*stream, io::Deadline::after(30ms)), "|deadline_exceeded");
}

TEST_F(ClientTest, TheDeadlineCoversTheWaitForTheAnswer) {
    script.connection({"..."});

    const Result<ClientResponse> response =
        runtime.block_on(client.send({.url = script.url()}, io::Deadline::after(30ms)));

    EXPECT_EQ(response.error().code, ErrorCode::deadline_exceeded);
}

TEST_F(ClientTest, APeerThatCannotBeConnectedToInTimeIsUnavailable) {
    // Says nothing to a handshake.
    script.connection({"..."});
    script.connection({"..."});
    std::string url = script.url();
    url.replace(0, std::string_view("http").size(), "https");
    Client hasty(runtime, {.connect_timeout = 30ms});

    const auto ask = [&](io::Deadline deadline) {
        return runtime.block_on(hasty.send({.url = url}, deadline)).error().code;
    };

    EXPECT_EQ(ask(io::Deadline::after(10s)), ErrorCode::unavailable);
    EXPECT_EQ(ask(io::Deadline::after(10ms)), ErrorCode::deadline_exceeded);
}

TEST_F(ClientTest, AnAnswerThatIsNoHttpIsUnavailable) {
    script.connection({"SSH-2.0-OpenSSH\r\n\r\n"});

    EXPECT_TRUE(body().starts_with("unavailable: "));
}

TEST_F(ClientTest, RefusesFieldsThatWouldBreakTheRequest) {
    const Result<ClientResponse> response =
        runtime.block_on(client.send({.url = script.url(), .headers = {{"A", "b\r\nC: d"}}}, soon())
        );

    EXPECT_EQ(response.error().code, ErrorCode::invalid_argument);
}

TEST_F(ClientTest, ConnectsOnlyWherePublicWhenAsked) {
    Client careful(runtime, {.public_addresses_only = true});

    const Result<ClientResponse> response =
        runtime.block_on(careful.send({.url = script.url()}, soon()));

    EXPECT_EQ(response.error().code, ErrorCode::permission_denied);
}

io::Task<Result<std::string>> next_piece(int* left) {
    if (*left == 0) co_return std::string();
    co_return "piece" + std::to_string((*left)--);
}

TEST_F(ClientTest, SendsABodyInPieces) {
    script.connection({kOk});
    int left = 2;

    const Result<ClientResponse> response = runtime.block_on(client.send(
        {.method = "PUT",
         .url = script.url(),
         .body = BodySource{.read = [&left] { return next_piece(&left); }}},
        soon()
    ));

    ASSERT_TRUE(response.has_value());
    EXPECT_NE(script.requests()[0].find("Transfer-Encoding: chunked\r\n"), std::string::npos);
}

TEST_F(ClientTest, ABodyThatIsShorterThanAnnouncedFails) {
    script.connection({kOk});
    int left = 1;

    const Result<ClientResponse> response = runtime.block_on(client.send(
        {.method = "PUT",
         .url = script.url(),
         .body = BodySource{.read = [&left] { return next_piece(&left); }, .length = 10}},
        soon()
    ));

    EXPECT_EQ(response.error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace penstock::http
