// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "http/problem.h"
#include "http/server_fixture.h"

namespace penstock::http {
namespace {

io::Task<Response> echo(Request request) {
    std::string text =
        request.method + " " + request.path + " " + request.query.to_string() + " " + request.body;
    for (const auto& [name, value] : request.params) text += " " + name + "=" + value;
    co_return Response::text(200, std::move(text));
}

io::Task<Response> thrower(Request) {
    co_await io::yield_now();
    throw std::runtime_error("secret detail");
}

io::Task<> write_three(BodyWriter writer) {
    for (const char* piece : {"one ", "two ", "three"}) (void)co_await writer.write(piece);
}

io::Task<> write_and_abort(BodyWriter writer) {
    (void)co_await writer.write("some");
    writer.abort();
}

io::Task<Response> stream_three(Request) {
    Response response{.status = 200, .headers = {}, .body = StreamBody(write_three)};
    co_return response;
}

io::Task<Response> stream_aborted(Request) {
    Response response{.status = 200, .headers = {}, .body = StreamBody(write_and_abort)};
    co_return response;
}

io::Task<Response> count_upload(Request request) {
    std::size_t size = 0;
    while (true) {
        const Result<std::string_view> piece = co_await request.reader.read();
        if (!piece) co_return problem_response(piece.error(), request, 413);
        if (piece->empty()) co_return Response::text(200, std::to_string(size));
        size += piece->size();
    }
}

class ServerTest : public ServerFixture {
  protected:
    ServerTest() {
        router.add("GET", "/echo", echo);
        router.add("POST", "/echo", echo, {.body_max = 1000});
        router.add("POST", "/v1/tasks/{id}:cancel", echo);
        router.add("GET", "/throw", thrower);
        router.add("GET", "/stream", stream_three);
        router.add("GET", "/aborted", stream_aborted);
        router.add("POST", "/upload", count_upload, {.body_max = 50'000'000, .stream_body = true});
    }
};

TEST_F(ServerTest, AnswersOnAKeptConnection) {
    start();

    const Result<ClientResponse> first = get("/echo?a=b%20c", {{"X-Request-Id", "my-id"}});
    const Result<ClientResponse> second =
        send({.method = "POST", .url = server->url() + "/v1/tasks/tk_1:cancel", .body = "hello"});

    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->body, "GET /echo a=b%20c ");
    EXPECT_EQ(first->headers.get("x-request-id"), "my-id");
    EXPECT_EQ(second->body, "POST /v1/tasks/tk_1:cancel  hello id=tk_1");
    EXPECT_TRUE(second->headers.get("x-request-id").starts_with("rq_"));
    EXPECT_EQ(server->connections(), 1U);
    EXPECT_EQ(client.idle_connections(), 1U);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
    start();

    const std::string answers =
        raw("GET /echo?n=1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: "
            "x\r\nContent-Length: 2\r\n\r\nhi"
            "GET /echo?n=3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    const std::size_t first = answers.find("GET /echo n=1 ");
    const std::size_t second = answers.find("POST /echo  hi");
    const std::size_t third = answers.find("GET /echo n=3 ");
    EXPECT_LT(first, second);
    EXPECT_LT(second, third);
    EXPECT_NE(third, std::string::npos);
}

TEST_F(ServerTest, TellsWhatIsMissingAsAProblem) {
    start();

    const Result<ClientResponse> missing = get("/nothing", {{"X-Request-Id", "r1"}});
    const Result<ClientResponse> method =
        send({.method = "DELETE", .url = server->url() + "/echo"});

    ASSERT_TRUE(missing && method);
    EXPECT_EQ(missing->status, 404);
    EXPECT_EQ(missing->headers.get("content-type"), "application/problem+json");
    EXPECT_EQ(
        missing->body,
        "{\"type\":\"urn:penstock:problem:not_found\",\"title\":\"Not found\",\"status\":404,"
        "\"detail\":\"there is nothing at "
        "'/nothing'\",\"instance\":\"/nothing\",\"code\":\"not_found\",\"request_id\":\"r1\"}"
    );
    EXPECT_EQ(missing->check().error().code, ErrorCode::not_found);
    EXPECT_EQ(method->status, 405);
    EXPECT_EQ(method->headers.get("allow"), "GET, HEAD, POST");
}

TEST_F(ServerTest, AHandlerThatThrowsIsA500ThatTellsNothing) {
    start();

    const Result<ClientResponse> broken = get("/throw");
    const Result<ClientResponse> after = get("/echo");

    ASSERT_TRUE(broken && after);
    EXPECT_EQ(broken->status, 500);
    EXPECT_EQ(broken->body.find("secret"), std::string::npos);
    EXPECT_EQ(after->status, 200);
}

TEST_F(ServerTest, HeadHasTheHeaderOfAGetWithoutItsBody) {
    start();

    const Result<ClientResponse> head = send({.method = "HEAD", .url = server->url() + "/echo"});
    const Result<ClientResponse> stream =
        send({.method = "HEAD", .url = server->url() + "/stream"});

    ASSERT_TRUE(head && stream);
    EXPECT_EQ(head->headers.get("content-length"), "12");
    EXPECT_EQ(head->body, "");
    EXPECT_EQ(stream->body, "");
    EXPECT_EQ(server->connections(), 1U);
}

TEST_F(ServerTest, StreamsInChunksAndKeepsTheConnection) {
    start();

    const Result<ClientResponse> streamed = get("/stream");
    const Result<ClientResponse> after = get("/echo");

    ASSERT_TRUE(streamed && after);
    EXPECT_EQ(streamed->body, "one two three");
    EXPECT_EQ(streamed->headers.get("transfer-encoding"), "chunked");
    EXPECT_EQ(server->connections(), 1U);
}

TEST_F(ServerTest, StreamsToAnOldClientUntilTheEnd) {
    start();

    const std::string answer = raw("GET /stream HTTP/1.0\r\n\r\n");

    EXPECT_TRUE(answer.ends_with("\r\n\r\none two three"));
    EXPECT_EQ(answer.find("chunked"), std::string::npos);
}

TEST_F(ServerTest, AnAbortedStreamIsCutVisibly) {
    start();

    const Result<ClientResponse> cut = get("/aborted");

    ASSERT_FALSE(cut.has_value());
    EXPECT_EQ(cut.error().code, ErrorCode::unavailable);
}

TEST_F(ServerTest, WhatWasSentBeforeACutStillArrives) {
    start();

    EXPECT_TRUE(raw("GET /aborted HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("\r\n\r\n4\r\nsome\r\n"));
    EXPECT_TRUE(raw("GET /aborted HTTP/1.0\r\n\r\n").ends_with("Connection reset by peer>"));
}

TEST_F(ServerTest, RefusesABodyOverTheLimitOfItsRoute) {
    start();

    const Result<ClientResponse> large =
        send({.method = "POST", .url = server->url() + "/echo", .body = std::string(1001, 'x')});

    ASSERT_TRUE(large.has_value());
    EXPECT_EQ(large->status, 413);
    EXPECT_NE(large->body.find("the body is larger than 1000 bytes"), std::string::npos);
}

TEST_F(ServerTest, RefusesAHugeBodyWithoutReadingIt) {
    start();

    const Result<ClientResponse> large = send(
        {.method = "POST", .url = server->url() + "/echo", .body = std::string(30'000'000, 'x')}
    );

    ASSERT_TRUE(large.has_value()) << large.error().message;
    EXPECT_EQ(large->status, 413);
}

TEST_F(ServerTest, StreamsALargeUpload) {
    start();
    const auto send_upload = [&](std::size_t size) {
        return send(
            {.method = "POST", .url = server->url() + "/upload", .body = std::string(size, 'x')}
        );
    };

    const Result<ClientResponse> accepted = send_upload(40'000'000);
    const Result<ClientResponse> refused = send_upload(50'000'001);

    ASSERT_TRUE(accepted && refused);
    EXPECT_EQ(accepted->body, "40000000");
    EXPECT_EQ(refused->status, 413);
}

TEST_F(ServerTest, AsksForTheBodyOnlyWhenItWillBeRead) {
    start();
    const std::string header =
        "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n";

    const std::string accepted = raw(header + "Content-Length: 2\r\n\r\nhi");
    const std::string refused = raw(header + "Content-Length: 2000\r\n\r\n");

    EXPECT_TRUE(accepted.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 413 "));
}

TEST_F(ServerTest, RefusesAHeaderOverTheLimit) {
    start();

    const std::string answer =
        raw("GET /echo HTTP/1.1\r\nHost: x\r\nA: " + std::string(40'000, 'a') + "\r\n\r\n");

    EXPECT_EQ(status_line(answer), "HTTP/1.1 431 Request Header Fields Too Large");
    EXPECT_NE(answer.find("Connection: close"), std::string::npos);
}

TEST_F(ServerTest, RefusesSmuggledRequestsAndCloses) {
    start();

    const std::string both =
        raw("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: "
            "chunked\r\n\r\n0\r\n\r\n"
            "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string folded = raw(
        "GET /echo HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n"
    );

    EXPECT_EQ(status_line(both), "HTTP/1.1 400 Bad Request");
    EXPECT_EQ(both.find("200 OK"), std::string::npos);
    EXPECT_EQ(status_line(folded), "HTTP/1.1 400 Bad Request");
    EXPECT_EQ(folded.find("200 OK"), std::string::npos);
}

TEST_F(ServerTest, SlowClientsAreToldAndClosed) {
    start({.header_timeout = 50ms, .body_timeout = 50ms});

    const std::string header = raw("GET /echo HTTP/1.1\r\nHos");
    const std::string body = raw("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");

    EXPECT_EQ(status_line(header), "HTTP/1.1 408 Request Timeout");
    EXPECT_EQ(status_line(body), "HTTP/1.1 408 Request Timeout");
}

TEST_F(ServerTest, ClosesIdleConnections) {
    start({.idle_timeout = 50ms});

    const std::string answer = raw("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");

    EXPECT_EQ(status_line(answer), "HTTP/1.1 200 OK");
    EXPECT_EQ(server->connections(), 0U);
}

TEST_F(ServerTest, ClosesWhatIsOverTheLimitOfConnections) {
    start({.connections_max = 1, .idle_timeout = 10s});
    ASSERT_TRUE(get("/echo").has_value());

    const std::string answer = raw("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");

    EXPECT_EQ(answer.find("200"), std::string::npos);
}

TEST_F(ServerTest, SendsFiles) {
    const auto path =
        std::filesystem::temp_directory_path() / ("penstock_http_" + std::to_string(::getpid()));
    std::ofstream(path) << std::string(1'000'000, 'f');
    static std::filesystem::path served;
    served = path;
    router.add("GET", "/file", [](Request) -> io::Task<Response> {
        co_return Response::file(served, "text/plain");
    });
    router.add("GET", "/gone", [](Request) -> io::Task<Response> {
        co_return Response::file("/nonexistent", "text/plain");
    });
    io::Pool pool(1);
    start({.pool = &pool});

    const Result<ClientResponse> file = get("/file");
    const Result<ClientResponse> gone = get("/gone");

    ASSERT_TRUE(file && gone);
    EXPECT_EQ(file->body, std::string(1'000'000, 'f'));
    EXPECT_EQ(gone->status, 404);
    std::filesystem::remove(path);
    runtime.block_on(server->stop(io::Deadline::after(0s)));
    server.reset();
}

io::Task<Response> add_field(Request request, Next next) {
    request.context = std::string("found by the middleware");
    Response response = co_await next(std::move(request));
    response.headers.add("X-Order", "outer");
    co_return response;
}
io::Task<Response> add_other_field(Request request, Next next) {
    if (request.path == "/denied")
        co_return problem_response({ErrorCode::permission_denied, "no", {}}, request);
    Response response = co_await next(std::move(request));
    response.headers.add("X-Order", "inner");
    co_return response;
}
io::Task<Response> tell_context(Request request) {
    co_return Response::text(200, *request.context_as<std::string>());
}

TEST_F(ServerTest, MiddlewaresRunAroundEveryHandler) {
    router.use(add_field);
    router.use(add_other_field);
    router.add("GET", "/context", tell_context);
    start();

    const Result<ClientResponse> found = get("/context");
    const Result<ClientResponse> denied = get("/denied");
    const Result<ClientResponse> missing = get("/missing");

    ASSERT_TRUE(found && denied && missing);
    EXPECT_EQ(found->body, "found by the middleware");
    EXPECT_EQ(found->headers.get_all("x-order"), (std::vector<std::string_view>{"inner", "outer"}));
    EXPECT_EQ(denied->status, 403);
    EXPECT_EQ(denied->headers.get("x-order"), "outer");
    EXPECT_EQ(missing->status, 404);
    EXPECT_EQ(missing->headers.get("x-order"), "inner");
}

TEST_F(ServerTest, AFieldThatWouldBreakTheMessageIsLeftOut) {
    router.add("GET", "/split", [](Request) -> io::Task<Response> {
        Response response = Response::text(200, "ok");
        response.headers.add("X-A", "b\r\nSet-Cookie: evil");
        co_return response;
    });
    start();

    const Result<ClientResponse> answer = get("/split");

    ASSERT_TRUE(answer.has_value());
    EXPECT_FALSE(answer->headers.contains("set-cookie"));
    EXPECT_FALSE(answer->headers.contains("x-a"));
}

TEST_F(ServerTest, CountsRequestsByRoute) {
    start();
    ASSERT_TRUE(get("/echo").has_value());
    ASSERT_TRUE(get("/wp-login.php").has_value());

    const std::string text = metrics.render();

    EXPECT_NE(
        text.find("penstock_http_requests_total{route=\"/echo\",method=\"GET\",status=\"200\"} 1"),
        std::string::npos
    );
    EXPECT_NE(
        text.find("penstock_http_requests_total{route=\"none\",method=\"none\",status=\"404\"} 1"),
        std::string::npos
    );
}

}  // namespace
}  // namespace penstock::http
