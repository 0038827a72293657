// SPDX-License-Identifier: Apache-2.0
#include "io/stream.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "io/runtime.h"
#include "io/stream_state.h"
#include "io/task_group.h"

namespace penstock::io {
namespace {

struct Pair {
    Stream client;
    Stream server;
};

class StreamTest : public testing::Test {
  protected:
    Pair connect() {
        Listener listener = *Listener::bind(runtime.executor(), {});
        return runtime.block_on(connect_both(runtime.executor(), &listener));
    }
    static Task<Pair> connect_both(Executor executor, Listener* listener) {
        Result<Stream> client = co_await connect_tcp(
            executor, "127.0.0.1", listener->local_port(), Deadline::after(10s)
        );
        Result<Stream> server = co_await listener->accept();
        co_return Pair{*std::move(client), *std::move(server)};
    }
    Runtime runtime;
};

Task<Result<std::string>> read_to_end(Stream* stream) {
    std::string all;
    std::array<char, 4096> buffer;
    while (true) {
        const std::size_t size = CO_TRY(co_await stream->read_some(buffer, Deadline::after(10s)));
        if (size == 0) co_return all;
        all.append(buffer.data(), size);
    }
}

Task<> write_and_shut_down(Stream* stream, std::string text) {
    const Result<void> written = co_await stream->write(text, Deadline::after(10s));
    EXPECT_TRUE(written.has_value());
    co_await stream->shutdown(Deadline::after(10s));
}

Task<Result<std::size_t>> read_one(Stream* stream, Deadline deadline) {
    std::array<char, 64> buffer;
    co_return co_await stream->read_some(buffer, deadline);
}

// Accepted connections have it of their listener.
TEST_F(StreamTest, NoMessageWaitsForAnother) {
    Pair pair = connect();
    for (Stream* stream : {&pair.client, &pair.server}) {
        int no_delay = 0;
        socklen_t size = sizeof no_delay;
        const int handle = stream->state().handle();
        ASSERT_EQ(::getsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
        EXPECT_NE(no_delay, 0);
    }
}

TEST_F(StreamTest, CarriesMoreThanTheSocketBuffersInOrder) {
    Pair pair = connect();
    TaskGroup group(runtime.executor(), "test");
    std::string text;
    for (int i = 0; text.size() < 20'000'000; ++i) text += std::to_string(i);
    group.spawn(write_and_shut_down(&pair.client, text));

    const Result<std::string> received = runtime.block_on(read_to_end(&pair.server));

    ASSERT_TRUE(received.has_value());
    EXPECT_TRUE(*received == text);
    runtime.block_on(group.close());
}

Task<Result<void>> write_parts(Stream* stream) {
    const std::array<std::string_view, 4> parts{"one ", "", "two ", "three"};
    CO_TRY(co_await stream->write(parts, Deadline::after(10s)));
    stream->close();
    co_return Result<void>{};
}

TEST_F(StreamTest, WritesPartsInOrder) {
    Pair pair = connect();

    ASSERT_TRUE(runtime.block_on(write_parts(&pair.client)).has_value());

    EXPECT_EQ(runtime.block_on(read_to_end(&pair.server)), "one two three");
}

TEST_F(StreamTest, AReadEndsAtItsDeadlineAndTheStreamLivesOn) {
    Pair pair = connect();

    const Result<std::size_t> late =
        runtime.block_on(read_one(&pair.server, Deadline::after(30ms)));
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().code, ErrorCode::deadline_exceeded);

    runtime.block_on(write_and_shut_down(&pair.client, "after"));
    EXPECT_EQ(runtime.block_on(read_to_end(&pair.server)), "after");
}

Task<Result<void>> read_size(Stream* stream, std::size_t left) {
    std::string buffer(1 << 20, ' ');
    while (left > 0) left -= CO_TRY(co_await stream->read_some(buffer, Deadline::after(10s)));
    co_return Result<void>{};
}

Task<> fill(Stream* stream, Result<void>* result) {
    *result = co_await stream->write(std::string(64'000'000, 'x'), Deadline::after(10s));
}

TEST_F(StreamTest, AReadThatIsLateDoesNotDisturbAWriteInProgress) {
    Pair pair = connect();
    TaskGroup group(runtime.executor(), "test");
    Result<void> written = fail(ErrorCode::internal, "not yet");
    group.spawn(fill(&pair.server, &written));
    const Result<std::size_t> late =
        runtime.block_on(read_one(&pair.server, Deadline::after(60ms)));
    EXPECT_EQ(late.error().code, ErrorCode::deadline_exceeded);

    ASSERT_TRUE(runtime.block_on(read_size(&pair.client, 64'000'000)).has_value());
    runtime.block_on(group.drain(Deadline::after(10s)));

    EXPECT_TRUE(written.has_value());
    runtime.block_on(group.close());
}

TEST_F(StreamTest, AWriteToAPeerThatReadsNothingEndsAtItsDeadline) {
    Pair pair = connect();

    const Result<void> result =
        runtime.block_on(pair.client.write(std::string(64'000'000, 'x'), Deadline::after(30ms)));

    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::deadline_exceeded);
}

TEST_F(StreamTest, TellsWhetherAKeptConnectionIsStillGood) {
    Pair pair = connect();
    EXPECT_TRUE(pair.client.idle_and_open());

    pair.server.close();
    runtime.block_on(pair.client.wait_readable(Deadline::after(10s)));

    EXPECT_FALSE(pair.client.idle_and_open());
}

TEST_F(StreamTest, GivesUnreadBytesFirst) {
    Pair pair = connect();
    pair.server.unread("before ");
    runtime.block_on(write_and_shut_down(&pair.client, "after"));

    EXPECT_EQ(runtime.block_on(read_to_end(&pair.server)), "before after");
}

TEST_F(StreamTest, AnAbortedStreamLooksBrokenToThePeer) {
    Pair pair = connect();

    pair.client.abort();
    const Result<std::string> received = runtime.block_on(read_to_end(&pair.server));

    ASSERT_FALSE(received.has_value());
    EXPECT_EQ(received.error().code, ErrorCode::unavailable);
}

TEST_F(StreamTest, RefusesAddressesThatAreNotPublicWhenAsked) {
    for (const char* host :
         {"127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "fd00::1",
          "::ffff:192.168.0.1", "0.0.0.0", "100.64.0.1", "localhost"}) {
        const Result<Stream> result = runtime.block_on(connect_tcp(
            runtime.executor(), host, 9, Deadline::after(10s), {.public_addresses_only = true}
        ));
        ASSERT_FALSE(result.has_value()) << host;
        EXPECT_EQ(result.error().code, ErrorCode::permission_denied) << host;
    }
}

TEST_F(StreamTest, ConnectingWhereNobodyListensIsUnavailable) {
    std::uint16_t port = 0;
    {
        port = Listener::bind(runtime.executor(), {})->local_port();
    }

    const Result<Stream> result =
        runtime.block_on(connect_tcp(runtime.executor(), "127.0.0.1", port, Deadline::after(10s)));

    EXPECT_EQ(result.error().code, ErrorCode::unavailable);
}

TEST_F(StreamTest, SpeaksOverAUnixSocket) {
    const std::string path =
        std::filesystem::temp_directory_path() / ("penstock_io_" + std::to_string(::getpid()));
    Listener listener = *Listener::bind_unix(runtime.executor(), path);
    Stream client = *runtime.block_on(connect_unix(runtime.executor(), path, Deadline::after(10s)));
    Stream server = *runtime.block_on(listener.accept());

    runtime.block_on(write_and_shut_down(&client, "hello"));

    EXPECT_EQ(runtime.block_on(read_to_end(&server)), "hello");
    std::filesystem::remove(path);
}

TEST_F(StreamTest, ACancelledAcceptUnwinds) {
    Listener listener = *Listener::bind(runtime.executor(), {});

    const auto result = runtime.block_on(race(listener.accept(), sleep_for(1ms)));

    EXPECT_FALSE(result.has_value());
}

Task<> until(const int* count, int wanted) {
    for (int i = 0; i < 1000 && *count < wanted; ++i) co_await sleep_for(1ms);
}

TEST_F(StreamTest, TellsOnceThatThereIsSomethingToRead) {
    Pair pair = connect();
    int told = 0, told_old = 0;
    std::array<char, 64> buffer;
    pair.server.call_when_readable([&] { ++told_old; });
    pair.server.call_when_readable([&] { ++told; });
    EXPECT_EQ(*pair.server.read_now(buffer), std::nullopt);

    runtime.block_on(write_and_shut_down(&pair.client, "one"));
    runtime.block_on(until(&told, 1));

    EXPECT_EQ(told, 1);
    EXPECT_EQ(told_old, 0);
    EXPECT_EQ(**pair.server.read_now(buffer), 3U);
    EXPECT_EQ(**pair.server.read_now(buffer), 0U);
}

TEST_F(StreamTest, AReadThatFollowsAnUnusedWatchGetsWhatComes) {
    Pair pair = connect();
    int told = 0;
    pair.server.call_when_readable([&] { ++told; });
    pair.server.call_when_readable(nullptr);
    runtime.block_on(write_and_shut_down(&pair.client, "late"));

    EXPECT_EQ(runtime.block_on(read_to_end(&pair.server)).value_or("nothing"), "late");
    EXPECT_EQ(told, 0);
}

TEST(Endpoint, IsNamedByItsAddressAndPort) {
    using boost::asio::ip::make_address;
    using boost::asio::ip::tcp;
    const auto named = [](const char* address, std::uint16_t port) {
        return to_string(tcp::endpoint(make_address(address), port));
    };

    EXPECT_EQ(named("192.0.2.7", 80), "192.0.2.7:80");
    EXPECT_EQ(named("0.0.0.0", 0), "0.0.0.0:0");
    EXPECT_EQ(named("255.255.255.255", 65535), "255.255.255.255:65535");
    EXPECT_EQ(named("2001:db8::1", 443), "[2001:db8::1]:443");
    EXPECT_EQ(
        named("1111:2222:3333:4444:5555:6666:7777:8888", 65535),
        "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"
    );
    EXPECT_EQ(named("fe80::1%7", 8), "[fe80::1%7]:8");
}

TEST_F(StreamTest, AWatchedStreamMayGoAwayFirst) {
    Pair pair = connect();
    int told = 0;
    pair.server.call_when_readable([&] { ++told; });
    {
        const Stream gone = std::move(pair.server);
    }
    runtime.block_on(sleep_for(5ms));

    EXPECT_EQ(told, 0);
}

}  // namespace
}  // namespace penstock::io
