// SPDX-License-Identifier: Apache-2.0
#include "http/message_reader.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/runtime.h"

namespace penstock::http {
namespace {

void put(InputBuffer& buffer, std::string_view text, std::size_t usual) {
    const std::span<char> room = buffer.prepare(usual);
    ASSERT_GE(room.size(), text.size());
    std::ranges::copy(text, room.begin());
    buffer.commit(text.size());
}

TEST(InputBuffer, IsAsSmallAsWhatIsUsual) {
    InputBuffer buffer;

    EXPECT_EQ(buffer.prepare(InputBuffer::kPieceBytes).size(), InputBuffer::kPieceBytes);
    EXPECT_EQ(buffer.prepare().size(), InputBuffer::kHeadBytes);
}

TEST(InputBuffer, GrowsWhenWhatComesFillsItAndShrinksWhenLittleComes) {
    InputBuffer buffer;
    std::size_t before = 0;
    for (std::size_t size = buffer.prepare(512).size(); size > before;) {
        before = size;
        buffer.commit(size);
        buffer.consume(size);
        size = buffer.prepare(512).size();
    }
    EXPECT_EQ(before, InputBuffer::kReadBytes);

    put(buffer, "little", 512);
    buffer.consume(6);

    EXPECT_EQ(buffer.prepare(512).size(), 512U);
}

TEST(InputBuffer, IsSmallBehindAHeaderHoweverMuchCameWithIt) {
    InputBuffer buffer;
    put(buffer, std::string(1500, 'h'), 2048);
    buffer.consume(1000);
    buffer.forget_size();
    EXPECT_EQ(buffer.view(), std::string(500, 'h'));
    buffer.consume(498);

    EXPECT_EQ(buffer.prepare(512).size(), 510U);
    EXPECT_EQ(buffer.view(), "hh");
}

TEST(InputBuffer, KeepsWhatIsNotUsedYetWhileItGrows) {
    InputBuffer buffer;
    std::string all;
    for (int i = 0; i < 300; ++i) {
        const std::string text = "piece " + std::to_string(i) + ";";
        const std::span<char> room = buffer.prepare(16);
        const std::size_t fits = std::min(room.size(), text.size());
        std::ranges::copy(std::string_view(text).substr(0, fits), room.begin());
        buffer.commit(fits);
        all += text.substr(0, fits);
        if (i % 3 == 0) {
            buffer.consume(4);
            all.erase(0, 4);
        }
        ASSERT_EQ(buffer.view(), all);
    }
    buffer.release();
    EXPECT_EQ(buffer.view(), all) << "what is not used is not given up";
}

TEST(InputBuffer, ReleasedItHasNothingAndCanBeUsedAgain) {
    InputBuffer buffer;
    put(buffer, "text", 2048);
    buffer.consume(4);

    buffer.release();

    EXPECT_TRUE(buffer.empty());
    EXPECT_EQ(buffer.prepare(512).size(), 512U);
    put(buffer, "more", 512);
    EXPECT_EQ(buffer.take(), "more");
    EXPECT_TRUE(buffer.empty());
}

io::Task<Result<io::Stream>> connected(io::Runtime* runtime, std::optional<io::Stream>* peer) {
    io::Listener listener = CO_TRY(io::Listener::bind(runtime->executor(), {}));
    io::Stream stream = CO_TRY(co_await io::connect_tcp(
        runtime->executor(), "127.0.0.1", listener.local_port(), io::Deadline::after(10s)
    ));
    *peer = CO_TRY(co_await listener.accept());
    co_return stream;
}

io::Task<std::string> read_a_piece(MessageReader* reader) {
    (void)co_await reader->read_head(io::Deadline::after(10s), 10s);
    const auto piece = co_await reader->read_body(100, io::Deadline::after(10s));
    EXPECT_TRUE(reader->body_done());
    reader->release_if_idle();
    std::string seen(piece.value_or("none"));
    reader->let_go_of_piece();
    reader->release_if_idle();
    co_return seen;
}

TEST(MessageReader, KeepsItsBufferWhileAPieceIsOut) {
    io::Runtime runtime;
    std::optional<io::Stream> peer;
    Result<io::Stream> stream = runtime.block_on(connected(&runtime, &peer));
    ASSERT_TRUE(stream) << stream.error().message;
    MessageReader reader(&*stream, Parser::Kind::request, 4096);
    const std::string_view sent = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
    ASSERT_TRUE(runtime.block_on(peer->write(sent)));

    EXPECT_EQ(runtime.block_on(read_a_piece(&reader)), "body");

    EXPECT_TRUE(reader.buffer().empty());
}

}  // namespace
}  // namespace penstock::http
