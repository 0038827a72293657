// SPDX-License-Identifier: Apache-2.0
#include "io/turn_end.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "io/before_sending.h"
#include "io/runtime.h"
#include "io/stream.h"
#include "io/task_group.h"

namespace penstock::io {
namespace {

using Seen = std::optional<std::string>;  // nothing: not even the end

struct Pair {
    Stream client;
    Stream server;
};

class TurnEndTest : public testing::Test {
  protected:
    static Task<Pair> connect_both(Executor executor, Listener* listener) {
        Result<Stream> client = co_await connect_tcp(
            executor, "127.0.0.1", listener->local_port(), Deadline::after(10s)
        );
        Result<Stream> server = co_await listener->accept();
        co_return Pair{*std::move(client), *std::move(server)};
    }
    Pair connect() { return runtime.block_on(connect_both(runtime.executor(), &listener)); }
    void end_turn() { runtime.block_on(yield_now()); }
    // What is there now.
    static Seen seen(Stream& stream) {
        std::array<char, 256> buffer;
        const auto size = stream.read_now(buffer);
        if (!size || !*size) return std::nullopt;
        return std::string(buffer.data(), **size);
    }
    static bool soon(Stream& stream, std::string_view text) {
        std::array<std::string_view, 1> parts{text};
        std::span<std::string_view> rest = parts;
        return stream.write_soon(rest).has_value() && rest.empty();
    }
    // As much as the socket takes at once of so many bytes; how many are left.
    static std::size_t now(Stream& stream, std::string_view text) {
        std::array<std::string_view, 1> parts{text};
        std::span<std::string_view> rest = parts;
        EXPECT_TRUE(stream.write_now(rest));
        return rest.empty() ? 0 : rest[0].size();
    }
    static Task<std::string> read_to_end(Stream* stream) {
        std::string all;
        std::array<char, 65536> buffer;
        while (true) {
            const auto size = co_await stream->read_some(buffer, Deadline::after(10s));
            EXPECT_TRUE(size) << to_string(size.error());
            if (!size || *size == 0) co_return all;
            all.append(buffer.data(), *size);
        }
    }
    static Task<Result<void>> write(Stream* stream, std::string_view text) {
        co_return co_await stream->write(text, Deadline::after(10s));
    }
    static Task<> shut_down(Stream* stream) { co_await stream->shutdown(Deadline::after(10s)); }

    static Task<> note_piece(Stream* stream, std::vector<std::string>* seen) {
        std::array<char, 256> buffer;
        const auto size = co_await stream->read_piece(buffer, Deadline::after(10s));
        seen->emplace_back(buffer.data(), size.value_or(0));
    }
    static Task<> note_beginning(Stream* stream, std::vector<std::string>* seen) {
        std::array<char, 256> buffer;
        const auto size = co_await stream->read_some(buffer, Deadline::after(10s));
        seen->emplace_back(buffer.data(), size.value_or(0));
    }
    // The reader is cancelled when its piece has come, and perhaps waits in line.
    static Task<> read_and_cancel(
        TaskGroup* readers, Stream* stream, std::vector<std::string>* seen, bool waits_in_line
    ) {
        TaskGroup::Canceller canceller;
        readers->spawn_now(note_piece(stream, seen), [&canceller](TaskGroup::Canceller begun) {
            canceller = std::move(begun);
        });
        if (waits_in_line) co_await yield_now();
        EXPECT_TRUE(seen->empty());
        canceller.cancel();
    }
    // Of a piece and a beginning that come in this order.
    std::vector<std::string> order_of_reading() {
        Pair running = connect();
        Pair beginning = connect();
        std::vector<std::string> seen;
        TaskGroup readers(runtime.executor(), "readers");
        readers.spawn(note_piece(&running.server, &seen));
        readers.spawn(note_beginning(&beginning.server, &seen));
        end_turn();
        EXPECT_EQ(now(running.client, "piece"), 0U);
        EXPECT_EQ(now(beginning.client, "beginning"), 0U);
        EXPECT_TRUE(runtime.block_on(readers.drain(Deadline::after(10s))));
        runtime.block_on(readers.close());
        return seen;
    }

    static bool keep(Stream& stream, std::string_view text) {
        std::array<std::string_view, 1> parts{text};
        std::span<std::string_view> rest = parts;
        return stream.keep(rest).has_value() && rest.empty();
    }
    void set_quiet(bool quiet) {
        constexpr Duration kNever = 24h * 36'500;
        TurnEnd::of(runtime.executor()).set_quiet_after(quiet ? Duration{} : kNever);
    }

    TurnEndTest() { set_quiet(false); }

    Runtime runtime;
    Listener listener = *Listener::bind(runtime.executor(), {});
};

TEST_F(TurnEndTest, WhatIsWrittenSoonGoesOutAtOnceWhereTheLoopIsQuiet) {
    Pair pair = connect();
    set_quiet(true);

    EXPECT_TRUE(soon(pair.client, "one"));
    EXPECT_EQ(seen(pair.server), "one");
}

// One more is about to be sent: the loop is not quiet.
TEST_F(TurnEndTest, WhatIsWrittenSoonWaitsForOthersThatWait) {
    Pair pair = connect();
    Pair other = connect();
    EXPECT_TRUE(soon(other.client, "first"));
    set_quiet(true);

    EXPECT_TRUE(soon(pair.client, "one"));
    EXPECT_EQ(seen(pair.server), std::nullopt);
    end_turn();
    EXPECT_EQ(seen(other.server), "first");
    EXPECT_EQ(seen(pair.server), "one");
}

TEST_F(TurnEndTest, ALoopThatHasJustSentIsNotQuiet) {
    TurnEnd& turn = TurnEnd::of(runtime.executor());
    turn.prepare_to_send();
    turn.set_quiet_after(1h);
    EXPECT_FALSE(turn.is_quiet());
    turn.set_quiet_after(Duration{});
    EXPECT_TRUE(turn.is_quiet());
}

TEST_F(TurnEndTest, PiecesAreKeptUntilTheyArePushed) {
    Pair pair = connect();
    for (const bool quiet : {true, false}) {
        set_quiet(quiet);
        EXPECT_TRUE(keep(pair.client, "one "));
        EXPECT_TRUE(keep(pair.client, "two"));
        end_turn();
        EXPECT_EQ(seen(pair.server), std::nullopt);

        pair.client.push();
        EXPECT_EQ(seen(pair.server), quiet ? Seen("one two") : std::nullopt);
        end_turn();
        EXPECT_EQ(seen(pair.server), quiet ? std::nullopt : Seen("one two"));
    }
}

TEST_F(TurnEndTest, PiecesGoOutWithWhatIsWrittenNextAndBeforeTheEnd) {
    Pair pair = connect();
    EXPECT_TRUE(keep(pair.client, "one "));
    EXPECT_EQ(now(pair.client, "two"), 0U);
    EXPECT_EQ(seen(pair.server), "one two");

    EXPECT_TRUE(keep(pair.client, "three"));
    pair.client.close();
    pair.client.push();
    EXPECT_EQ(runtime.block_on(read_to_end(&pair.server)), "three");
}

TEST_F(TurnEndTest, WhatIsWrittenSoonGoesOutWhenTheTurnEnds) {
    Pair pair = connect();

    EXPECT_TRUE(soon(pair.client, "one "));
    EXPECT_TRUE(soon(pair.client, "two"));
    EXPECT_EQ(seen(pair.server), std::nullopt);
    end_turn();

    EXPECT_EQ(seen(pair.server), "one two");
}

TEST_F(TurnEndTest, WhatIsWrittenNextFollowsIt) {
    Pair pair = connect();

    EXPECT_TRUE(soon(pair.client, "one "));
    EXPECT_EQ(now(pair.client, "two"), 0U);

    EXPECT_EQ(seen(pair.server), "one two");
    end_turn();
    EXPECT_EQ(seen(pair.server), std::nullopt);
}

TEST_F(TurnEndTest, MuchIsSentAtOnce) {
    Pair pair = connect();

    EXPECT_TRUE(soon(pair.client, std::string(Stream::kSoonMax + 1, 'x')));

    EXPECT_TRUE(seen(pair.server).has_value());
}

TEST_F(TurnEndTest, ManySendersDoNotWaitForEachOther) {
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < TurnEnd::kSendersMax; ++i) pairs.push_back(connect());

    for (std::size_t i = 0; i + 1 < pairs.size(); ++i) EXPECT_TRUE(soon(pairs[i].client, "x"));
    EXPECT_EQ(seen(pairs.front().server), std::nullopt);
    EXPECT_TRUE(soon(pairs.back().client, "x"));

    for (Pair& pair : pairs) EXPECT_EQ(seen(pair.server), "x");
}

TEST_F(TurnEndTest, AStreamThatEndsHasSentIt) {
    Pair closed = connect();
    Pair destroyed = connect();
    Pair shut = connect();

    EXPECT_TRUE(soon(closed.client, "closed"));
    closed.client.close();
    {
        const Stream gone = std::move(destroyed.client);
        EXPECT_TRUE(soon(const_cast<Stream&>(gone), "destroyed"));
    }
    EXPECT_TRUE(soon(shut.client, "shut"));
    runtime.block_on(shut_down(&shut.client));

    EXPECT_EQ(runtime.block_on(read_to_end(&closed.server)), "closed");
    EXPECT_EQ(runtime.block_on(read_to_end(&destroyed.server)), "destroyed");
    EXPECT_EQ(runtime.block_on(read_to_end(&shut.server)), "shut");
}

TEST_F(TurnEndTest, WhatDoesNotFitFollowsWhenThereIsRoom) {
    Pair pair = connect();
    const std::string much(64UL << 20, 'a');
    const std::size_t filled = much.size() - now(pair.client, much);
    ASSERT_LT(filled, much.size());

    EXPECT_TRUE(soon(pair.client, "b"));
    end_turn();
    EXPECT_EQ(now(pair.client, "c"), 1U);  // not before what is kept
    TaskGroup group(runtime.executor(), "test");
    group.spawn([](Stream* stream) -> Task<> {
        EXPECT_TRUE(co_await write(stream, "c"));
        stream->close();
    }(&pair.client));

    const std::string read = runtime.block_on(read_to_end(&pair.server));
    EXPECT_EQ(read.size(), filled + 2);
    EXPECT_EQ(read.substr(filled), "bc");
    runtime.block_on(group.close());
}

TEST_F(TurnEndTest, AStreamMayEndWhileItWaitsForRoom) {
    Pair pair = connect();
    now(pair.client, std::string(64UL << 20, 'a'));

    EXPECT_TRUE(soon(pair.client, "b"));
    end_turn();
    pair.client = {};
    end_turn();

    EXPECT_FALSE(runtime.block_on(read_to_end(&pair.server)).empty());
}

TEST_F(TurnEndTest, TellsThatItCouldNotBeSent) {
    Pair pair = connect();
    pair.server.abort();
    EXPECT_TRUE(soon(pair.client, "x"));
    EXPECT_FALSE(pair.client.send_failed());
    end_turn();

    EXPECT_TRUE(pair.client.send_failed());
    std::array<std::string_view, 1> parts{"y"};
    std::span<std::string_view> rest = parts;
    EXPECT_EQ(pair.client.write_now(rest).error().code, ErrorCode::unavailable);
}

TEST_F(TurnEndTest, APreparationIsDoneOnceBeforeAnythingIsSent) {
    Pair pair = connect();
    Seen at_preparation = "not prepared";
    int times = 0;
    BeforeSending preparation(runtime.executor(), [&] {
        ++times;
        at_preparation = seen(pair.server);
    });

    EXPECT_TRUE(soon(pair.client, "x"));
    preparation.ask();
    preparation.ask();
    end_turn();
    EXPECT_EQ(times, 1);
    EXPECT_EQ(at_preparation, std::nullopt);

    preparation.ask();
    EXPECT_EQ(now(pair.client, "y"), 0U);
    EXPECT_EQ(times, 2);
    end_turn();
    EXPECT_EQ(times, 2);
}

TEST_F(TurnEndTest, APreparationIsDoneThoughNothingIsSent) {
    bool done = false;
    BeforeSending preparation(runtime.executor(), [&] { done = true; });

    preparation.ask();
    end_turn();
    EXPECT_TRUE(done);

    done = false;
    preparation.ask();
    preparation.take_back();
    end_turn();
    EXPECT_FALSE(done);
}

using Names = std::vector<std::string>;

TEST_F(TurnEndTest, APieceGivesWayToWhatBegins) {
    EXPECT_EQ(order_of_reading(), (Names{"beginning", "piece"}));
}

TEST_F(TurnEndTest, APieceThatIsAloneIsReadAtOnce) {
    set_quiet(true);
    EXPECT_EQ(order_of_reading(), (Names{"piece", "beginning"}));
}

TEST_F(TurnEndTest, AFewPiecesAreResumedAtATime) {
    TurnEnd& turn = TurnEnd::of(runtime.executor());
    Names order;
    for (std::size_t i = 0; i <= TurnEnd::kPiecesAtATime; ++i)
        turn.put_off_piece([&order, i, &runtime = runtime] {
            order.push_back("piece " + std::to_string(i));
            if (i == 0) runtime.post([&order] { order.emplace_back("beginning"); });
        });
    end_turn();
    end_turn();

    EXPECT_EQ(order, (Names{"piece 0", "piece 1", "piece 2", "piece 3", "beginning", "piece 4"}));
}

TEST_F(TurnEndTest, OfManyPiecesAPartIsResumedAtATime) {
    TurnEnd& turn = TurnEnd::of(runtime.executor());
    constexpr std::size_t kPieces = 100 * TurnEnd::kPiecesPart;
    std::size_t resumed = 0;
    std::size_t before = 0;  // what begins while the first one is looked at
    for (std::size_t i = 0; i < kPieces; ++i)
        turn.put_off_piece([&, i] {
            ++resumed;
            if (i == 0) runtime.post([&] { before = resumed; });
        });
    for (int turns = 0; turns < 100 && resumed < kPieces; ++turns) end_turn();

    EXPECT_EQ(before, kPieces / TurnEnd::kPiecesPart);
    EXPECT_EQ(resumed, kPieces);
}

TEST_F(TurnEndTest, PiecesThatWaitEndWithTheLoop) {
    const auto resumed = std::make_shared<bool>(false);
    {
        Runtime short_lived;
        TurnEnd::of(short_lived.executor()).put_off_piece([resumed] { *resumed = true; });
        EXPECT_EQ(resumed.use_count(), 2);
    }
    EXPECT_EQ(resumed.use_count(), 1);
    EXPECT_FALSE(*resumed);
}

// What a stream says is counted to the last byte, although whoever passed it on has gone.
TEST_F(TurnEndTest, APieceThatHasComeIsNotLostWhenItsTaskIsCancelled) {
    for (const bool waits_in_line : {false, true}) {
        Pair pair = connect();
        EXPECT_EQ(now(pair.client, "piece"), 0U);
        EXPECT_TRUE(runtime.block_on(pair.server.wait_readable(Deadline::after(10s))));
        Names seen;
        TaskGroup readers(runtime.executor(), "readers");
        runtime.block_on(read_and_cancel(&readers, &pair.server, &seen, waits_in_line));
        EXPECT_TRUE(runtime.block_on(readers.drain(Deadline::after(10s))));
        runtime.block_on(readers.close());

        EXPECT_EQ(seen, Names{"piece"}) << waits_in_line;
    }
}

}  // namespace
}  // namespace penstock::io
