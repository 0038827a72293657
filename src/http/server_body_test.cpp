// SPDX-License-Identifier: Apache-2.0
// Bodies that are read in one text, and streams that are written without waiting where that goes.
#include <functional>

#include "http/problem.h"
#include "http/server_fixture.h"

namespace penstock::http {
namespace {

std::string pattern(std::size_t size) {
    std::string text;
    text.reserve(size + 16);
    for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i * 7919) + ",";
    text.resize(size);
    return text;
}

std::string digest(std::string_view text) {
    return std::to_string(text.size()) + " " + std::to_string(std::hash<std::string_view>{}(text));
}

io::Task<Response> take_whole(Request request) {
    if (const std::optional<std::string> now = request.reader.read_all_now())
        co_return Response::text(200, digest(*now));
    const Result<std::string> body = co_await request.reader.read_all();
    if (!body) co_return problem_response(body.error(), request);
    co_return Response::text(200, digest(*body));
}

io::Task<Response> take_buffered(Request request) {
    co_return Response::text(200, digest(request.body));
}

constexpr std::size_t kPieces = 200;
constexpr std::size_t kPieceBytes = 64UL * 1024;
std::size_t flushes = 0;

io::Task<> write_much(BodyWriter writer) {
    const std::string text = pattern(kPieceBytes);
    for (std::size_t i = 0; i < kPieces; ++i) {
        std::optional<Result<void>> written = writer.write_now(text);
        if (written) {
            if (!*written) co_return;
            continue;
        }
        ++flushes;
        if (!co_await writer.flush()) co_return;
    }
}

io::Task<Response> stream_much(Request) {
    Response response{.status = 200, .headers = {}, .body = StreamBody(write_much)};
    co_return response;
}

class ServerBody : public ServerFixture {
  protected:
    ServerBody() {
        router.add("POST", "/whole", take_whole, {.body_max = 5'000'000, .stream_body = true});
        router.add("POST", "/buffered", take_buffered, {.body_max = 5'000'000});
        router.add("GET", "/much", stream_much);
    }
    std::string post(const std::string& path, std::variant<std::string, BodySource> body) {
        const Result<ClientResponse> answer = send(
            {.method = "POST", .url = server->url() + path, .headers = {}, .body = std::move(body)}
        );
        if (!answer) return answer.error().message;
        return answer->status == 200 ? answer->body : std::to_string(answer->status);
    }
};

io::Task<Result<std::string>> next_of(std::vector<std::string>* pieces) {
    co_await io::yield_now();
    if (pieces->empty()) co_return std::string();
    std::string piece = std::move(pieces->front());
    pieces->erase(pieces->begin());
    co_return piece;
}

TEST_F(ServerBody, BodiesOfEverySizeAreReadWhole) {
    start();
    for (const std::size_t size :
         {0UL, 1UL, 100UL, 511UL, 512UL, 2048UL, 4095UL, 4096UL, 16'385UL, 65'537UL, 3'000'001UL}) {
        const std::string text = pattern(size);
        EXPECT_EQ(post("/whole", text), digest(text));
        EXPECT_EQ(post("/buffered", text), digest(text));
    }
    EXPECT_EQ(server->connections(), 1U) << "the connection can be used again after each";
}

TEST_F(ServerBody, BodiesThatComeInChunksAreReadWhole) {
    start();
    for (const char* path : {"/whole", "/buffered"}) {
        std::vector<std::string> pieces{pattern(10), pattern(70'000), "x", pattern(500)};
        std::string all;
        for (const std::string& piece : pieces) all += piece;

        EXPECT_EQ(
            post(path, BodySource{.read = [&pieces] { return next_of(&pieces); }}), digest(all)
        );
    }
}

TEST_F(ServerBody, ALongBodyThatComesSlowlyIsReadWhole) {
    start();
    for (const char* path : {"/whole", "/buffered"}) {
        std::vector<std::string> pieces;
        std::string all;
        for (std::size_t i = 0; i < 60; ++i) all += pieces.emplace_back(pattern(1 + i * 499));

        EXPECT_EQ(
            post(
                path,
                BodySource{.read = [&pieces] { return next_of(&pieces); }, .length = all.size()}
            ),
            digest(all)
        );
    }
}

TEST_F(ServerBody, ABodyOverTheLimitIsRefused) {
    start();
    EXPECT_EQ(post("/whole", pattern(5'000'001)), "429");
    EXPECT_EQ(post("/buffered", pattern(5'000'001)), "413");
}

TEST_F(ServerBody, ABodyThatStopsComingIsNotWaitedForForEver) {
    start({.body_timeout = 100ms});
    for (const char* path : {"/whole", "/buffered"}) {
        const std::string answer =
            raw("POST " + std::string(path) +
                " HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + pattern(20'000));

        EXPECT_TRUE(status_line(answer).contains("504") || status_line(answer).contains("408"))
            << answer;
        EXPECT_TRUE(answer.contains("Connection: close")) << answer;
    }
}

TEST_F(ServerBody, AStreamThatTheClientDoesNotKeepUpWithLosesNothing) {
    start();
    flushes = 0;
    std::string expected;
    for (std::size_t i = 0; i < kPieces; ++i) expected += pattern(kPieceBytes);

    const Result<ClientResponse> answer = get("/much");

    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(digest(answer->body), digest(expected));
    EXPECT_GT(flushes, 0U) << "it is more than sockets take at once";
}

}  // namespace
}  // namespace penstock::http
