// SPDX-License-Identifier: Apache-2.0
#include "http/sse.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penstock::http {
namespace {

// How pieces are given: copied, copied with memory given back between them, or lent.
enum class Giving : std::uint8_t { fed, fed_and_freed, lent };

// Gives the text in pieces of `step` bytes and renders the events.
std::string parse(std::string_view text, std::size_t step, Giving giving = Giving::fed) {
    SseParser parser;
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += step) {
        std::string piece(text.substr(at, step));
        EXPECT_TRUE((giving == Giving::lent ? parser.lend(piece) : parser.feed(piece)).has_value());
        while (const auto event = parser.next())
            out += fmt::format(
                "[{}|{}|{}|{}]", event->event, event->data, event->id, event->retry_ms.value_or(-1)
            );
        if (giving != Giving::fed) parser.own();
        piece.assign(piece.size(), '!');
    }
    return out;
}

struct Stream {
    const char* name;
    std::string text;
    const char* events;
};
class SseParsing : public testing::TestWithParam<Stream> {};

TEST_P(SseParsing, IsTheSameForEverySplit) {
    for (std::size_t step = 1; step <= GetParam().text.size(); ++step)
        for (const Giving giving : {Giving::fed, Giving::fed_and_freed, Giving::lent})
            EXPECT_EQ(parse(GetParam().text, step, giving), GetParam().events) << step;
}

INSTANTIATE_TEST_SUITE_P(
    Sse, SseParsing,
    testing::Values(
        Stream{"simple", "data: a\n\n", "[|a||-1]"},
        Stream{
            "crlf", "event: x\r\ndata: a\r\nid: 7\r\n\r\ndata: b\r\n\r\n", "[x|a|7|-1][|b|7|-1]"
        },
        Stream{"cr", "data: a\r\rdata: b\r\r", "[|a||-1][|b||-1]"},
        Stream{"several_lines", "data: a\ndata\ndata:b\ndata:  c\n\n", "[|a\n\nb\n c||-1]"},
        Stream{"comments", ": hello\n\ndata: a\n: in between\n\n:\n\n", "[|a||-1]"},
        Stream{"without_data", "event: x\n\nid: 1\n\ndata: a\n\n", "[|a|1|-1]"},
        Stream{"empty_data", "data:\n\ndata\n\n", "[|||-1][|||-1]"},
        Stream{"retry", "retry: 3000\ndata: a\n\nretry: x\ndata: b\n\n", "[|a||3000][|b||-1]"},
        Stream{
            "byte_order_mark",
            "\xEF\xBB\xBF"
            "data: a\n\n",
            "[|a||-1]"
        },
        Stream{"utf8", "data: \xE4\xB8\xAD\xE6\x96\x87\n\n", "[|\xE4\xB8\xAD\xE6\x96\x87||-1]"},
        Stream{"unfinished", "data: a\n\ndata: b\n", "[|a||-1]"},
        Stream{
            "long_lines",
            "event: a name of more than sixteen bytes\r\ndata: "
            "0123456789012345678901234567890123456789\n"
            "data: 01234567890123456789\r\n\ndata: 0123456789abc\r\rdata: 0123456789abcd\n\n",
            "[a name of more than sixteen bytes|0123456789012345678901234567890123456789\n"
            "01234567890123456789||-1][|0123456789abc||-1][|0123456789abcd||-1]"
        },
        Stream{"unknown_fields", "foo: x\ndatax: y\ndata: a\n\n", "[|a||-1]"}
    ),
    [](const auto& info) { return info.param.name; }
);

TEST(SseParser, GivesTheBytesAsTheyCame) {
    SseParser parser;
    ASSERT_TRUE(parser.feed("event: a\r\ndata: 1\r\n\r\ndata: 2\n\ndata: 3").has_value());

    EXPECT_EQ(parser.next()->raw, "event: a\r\ndata: 1\r\n\r\n");
    EXPECT_EQ(parser.next()->raw, "data: 2\n\n");
    EXPECT_FALSE(parser.next().has_value());
    EXPECT_TRUE(parser.has_partial());
}

TEST(SseParser, RefusesAnEventWithoutEnd) {
    SseParser parser(100);
    Result<void> fed;
    for (int i = 0; i < 100 && fed; ++i) {
        fed = parser.feed("data: 0123456789\n");
        EXPECT_FALSE(parser.next().has_value());
    }

    ASSERT_FALSE(fed.has_value());
    EXPECT_EQ(fed.error().code, ErrorCode::resource_exhausted);
}

TEST(PrintSse, IsReadBack) {
    const std::string text =
        print_sse({.data = "a\nb\r\nc", .event = "x\ny", .id = "7", .retry_ms = 100});

    EXPECT_EQ(text, "event: x y\nid: 7\nretry: 100\ndata: a\ndata: b\ndata: c\n\n");
    EXPECT_EQ(parse(text, 3), "[x y|a\nb\nc|7|100]");
    EXPECT_EQ(print_sse_comment("alive"), ": alive\n\n");
}

}  // namespace
}  // namespace penstock::http
