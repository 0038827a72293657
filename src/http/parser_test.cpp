// SPDX-License-Identifier: Apache-2.0
#include "http/parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penstock::http {
namespace {

constexpr std::size_t kHeaderMax = 1024;

// "GET /path 1.1 body=…", or the refusal: "400 why".
std::string read(
    std::string_view bytes, Parser::Kind kind = Parser::Kind::request, std::uint64_t body_max = 100
) {
    Parser parser(kind, kHeaderMax);
    const auto refused = [](const Refusal& refusal) {
        return fmt::format("{} {}", refusal.status, refusal.error.message);
    };
    const auto head = parser.parse_head(bytes);
    if (!head) return refused(head.error());
    if (!*head) return "incomplete";
    bytes.remove_prefix(**head);
    std::string body;
    while (!parser.body_done()) {
        const auto piece = parser.parse_body(bytes, body_max);
        if (!piece) return refused(piece.error());
        body += piece->body;
        bytes.remove_prefix(piece->consumed);
        if (piece->need_more && !parser.body_done()) {
            if (const auto end = parser.end_of_stream(); !end) return refused(end.error());
        }
    }
    const Head& message = parser.head();
    const std::string start = kind == Parser::Kind::request ? message.method + " " + message.target
                                                            : std::to_string(message.status);
    return fmt::format("{} fields={} body={} rest={}", start, message.headers.size(), body, bytes);
}

TEST(Parser, ReadsARequestAndLeavesWhatFollows) {
    EXPECT_EQ(
        read("GET /a?b=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /"), "GET /a?b=1 fields=1 body= rest=GET /"
    );
    EXPECT_EQ(
        read("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPOST"),
        "POST / fields=2 body=abc rest=POST"
    );
}

TEST(Parser, ReadsChunksWithExtensionsAndTrailers) {
    EXPECT_EQ(
        read("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\nrest"),
        "POST / fields=2 body=abc0123456789 rest=rest"
    );
}

// As the bytes come from a connection: so many more at a time, what was not taken kept.
std::string read_in_steps(std::string_view bytes, std::size_t step) {
    Parser parser(Parser::Kind::request, kHeaderMax);
    const auto head = parser.parse_head(bytes);
    if (!head || !*head) return "no head";
    bytes.remove_prefix(**head);
    std::string body;
    std::size_t begin = 0;
    for (std::size_t end = 0; !parser.body_done(); end = std::min(end + step, bytes.size())) {
        for (bool more = true; more && !parser.body_done();) {
            const auto piece = parser.parse_body(bytes.substr(begin, end - begin), 1000);
            if (!piece) return "refused: " + piece.error().error.message;
            begin += piece->consumed;
            body += piece->body;
            more = !piece->need_more;
        }
        if (end == bytes.size() && !parser.body_done()) return "incomplete";
    }
    return body + "|" + std::string(bytes.substr(begin));
}

TEST(Parser, ReadsChunksTheSameHoweverTheyAreCut) {
    const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::pair<std::string_view, std::string_view> bodies[] = {
        {"0\r\n\r\nrest", "|rest"},
        {"000;a\r\n\r\n", "|"},
        {"0\r\na: b\r\n\r\n", "|"},
        {"01\r\n0\r\n0\r\n\r\n", "0|"},
        {"3\r\nabc\r\n0\r\n\r\n", "abc|"},
        {"0\r\na\r\n0\r\n\r\n", "refused: the body is malformed: bad field"},
        {"0", "incomplete"},
        {"0\r\n\r", "incomplete"},
    };
    for (const auto& [body, expected] : bodies)
        for (std::size_t step = 1; step < 20; ++step) {
            const std::string got = read_in_steps(head + std::string(body), step);
            EXPECT_EQ(got.substr(0, expected.size()), expected) << body << " by " << step;
        }
}

TEST(Parser, ReadsAResponseUntilTheConnectionCloses) {
    EXPECT_EQ(
        read("HTTP/1.1 200 OK\r\nA: b\r\n\r\nall of it", Parser::Kind::response),
        "200 fields=1 body=all of it rest="
    );
}

TEST(Parser, ReadsTheSameHoweverItIsCut) {
    const std::string message = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";
    for (std::size_t cut = 1; cut < message.size(); ++cut) {
        Parser parser(Parser::Kind::request, kHeaderMax);
        const auto early = parser.parse_head(std::string_view(message).substr(0, cut));
        ASSERT_TRUE(early && !*early) << cut;
        const auto whole = parser.parse_head(message);
        ASSERT_TRUE(whole && *whole == message.size()) << cut;
    }
}

TEST(Parser, ReadsResponsesWithoutABody) {
    const std::string fields = "Content-Length: 3\r\n\r\nrest";

    EXPECT_EQ(
        read("HTTP/1.1 204 No Content\r\n" + fields, Parser::Kind::response),
        "204 fields=1 body= rest=rest"
    );
    EXPECT_EQ(
        read("HTTP/1.1 304 \r\n" + fields, Parser::Kind::response), "304 fields=1 body= rest=rest"
    );
    EXPECT_EQ(
        read("HTTP/1.1 103 Early Hints\r\n" + fields, Parser::Kind::response),
        "103 fields=1 body= rest=rest"
    );
}

TEST(Parser, RefusesMalformedStatusLines) {
    constexpr std::string_view kAnswer = "400 the header is malformed: bad status";
    const auto status = [](const std::string& line) {
        return read(line + "\r\n\r\n", Parser::Kind::response);
    };

    EXPECT_EQ(status("HTTP/1.1 20 OK"), kAnswer);
    EXPECT_EQ(status("HTTP/1.1 2000 OK"), kAnswer);
    EXPECT_EQ(status("HTTP/1.1 099 OK"), kAnswer);
    EXPECT_EQ(status("HTTP/1.1 200"), kAnswer);
    EXPECT_EQ(status("HTTP/1.1  200 OK"), kAnswer);
    EXPECT_EQ(status("HTTP/3.0 200 OK"), "505 only HTTP/1.0 and HTTP/1.1 are spoken here");
}

// "keeps" or "closes": whether a further message can follow.
std::string_view kept(std::string_view bytes, Parser::Kind kind = Parser::Kind::request) {
    Parser parser(kind, kHeaderMax);
    const auto head = parser.parse_head(bytes);
    EXPECT_TRUE(head && *head);
    return parser.keep_alive() ? "keeps" : "closes";
}

TEST(Parser, TellsWhetherTheConnectionStays) {
    EXPECT_EQ(kept("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "keeps");
    EXPECT_EQ(kept("GET / HTTP/1.1\r\nHost: x\r\nConnection: a, Close\r\n\r\n"), "closes");
    EXPECT_EQ(kept("GET / HTTP/1.0\r\n\r\n"), "closes");
    EXPECT_EQ(kept("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "keeps");
    EXPECT_EQ(kept("HTTP/1.1 200 OK\r\n\r\n", Parser::Kind::response), "closes");
    EXPECT_EQ(
        kept("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Parser::Kind::response), "keeps"
    );
    EXPECT_EQ(kept("HTTP/1.1 204 No Content\r\n\r\n", Parser::Kind::response), "keeps");
}

struct Smuggled {
    const char* name;
    std::string bytes;
    const char* answer;
};

class ParserRefusal : public testing::TestWithParam<Smuggled> {};

TEST_P(ParserRefusal, IsRefused) { EXPECT_EQ(read(GetParam().bytes), GetParam().answer); }

INSTANTIATE_TEST_SUITE_P(
    Parser, ParserRefusal,
    testing::Values(
        Smuggled{
            "both_lengths",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: "
            "chunked\r\n\r\n0\r\n\r\n",
            "400 both Content-Length and Transfer-Encoding are given"
        },
        Smuggled{
            "both_lengths_other_order",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
            "3\r\n\r\n0\r\n\r\n",
            "400 both Content-Length and Transfer-Encoding are given"
        },
        Smuggled{
            "equal_lengths",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            "400 Content-Length is given more than once"
        },
        Smuggled{
            "length_list", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
            "400 Content-Length is not a number"
        },
        Smuggled{
            "signed_length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
            "400 Content-Length is not a number"
        },
        Smuggled{
            "huge_length",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\nabc",
            "400 Content-Length is not a number"
        },
        Smuggled{
            "no_length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nabc",
            "400 Content-Length is not a number"
        },
        Smuggled{
            "other_coding",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "501 of the transfer codings only 'chunked' is supported"
        },
        Smuggled{
            "unknown_coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "501 of the transfer codings only 'chunked' is supported"
        },
        Smuggled{
            "coding_twice",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: "
            "chunked\r\n\r\n",
            "400 Transfer-Encoding is given more than once"
        },
        Smuggled{
            "coding_in_1_0", "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400 HTTP/1.0 has no Transfer-Encoding"
        },
        Smuggled{
            "folded", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
            "400 the header contains a folded line"
        },
        Smuggled{
            "bare_lf", "GET / HTTP/1.1\nHost: x\n\n",
            "400 a line of the header ends in LF instead of CR LF"
        },
        Smuggled{
            "bare_cr", "GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n",
            "400 a line of the header contains a bare CR"
        },
        Smuggled{
            "nul", std::string("GET / HTTP/1.1\r\nHost: x\r\nA: b") + '\0' + "\r\n\r\n",
            "400 the header contains a NUL byte"
        },
        Smuggled{
            "control", "GET / HTTP/1.1\r\nHost: x\r\nA: b\x7f\r\n\r\n",
            "400 the header contains a control character"
        },
        Smuggled{
            "no_colon", "GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n",
            "400 the header is malformed: bad field"
        },
        Smuggled{
            "no_name", "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
            "400 the header is malformed: bad field"
        },
        Smuggled{
            "connection_of_two_words",
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep alive\r\n\r\n",
            "400 the header is malformed: bad value"
        },
        Smuggled{
            "two_spaces_before_target", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
            "400 the header is malformed: bad target"
        },
        Smuggled{
            "tab_in_target", "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n",
            "400 the header is malformed: bad target"
        },
        Smuggled{
            "space_behind_version", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
            "505 only HTTP/1.0 and HTTP/1.1 are spoken here"
        },
        Smuggled{"no_target", "GET\r\nHost: x\r\n\r\n", "400 the header is malformed: bad method"},
        Smuggled{
            "space_before_colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            "400 the header is malformed: bad field"
        },
        Smuggled{"no_host", "GET / HTTP/1.1\r\nA: b\r\n\r\n", "400 the Host field is missing"},
        Smuggled{
            "two_hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            "400 Host is given more than once"
        },
        Smuggled{
            "host_with_path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
            "400 the Host field is not a host"
        },
        Smuggled{"tls_hello", "\x16\x03\x01\x02", "400 the message does not begin with a token"},
        Smuggled{
            "version", "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
            "505 only HTTP/1.0 and HTTP/1.1 are spoken here"
        },
        Smuggled{
            "expectation", "GET / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n",
            "417 of the expectations only '100-continue' is supported"
        },
        Smuggled{
            "large_header",
            "GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(2000, 'a') + "\r\n\r\n",
            "431 the header is larger than 1024 bytes"
        },
        Smuggled{
            "large_body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n",
            "413 the body is larger than 100 bytes"
        },
        Smuggled{
            "large_chunk",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
                std::string(101, 'a'),
            "413 the body is larger than 100 bytes"
        },
        Smuggled{
            "bad_chunk", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "400 the body is malformed: bad chunk"
        },
        Smuggled{
            "endless_chunk_extension",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;" +
                std::string(9000, 'a'),
            "400 a chunk header or the trailers are larger than 8192 bytes"
        },
        Smuggled{
            "cut_body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab",
            "400 the connection was closed before the end of the message"
        }
    ),
    [](const auto& info) { return info.param.name; }
);

TEST(Parser, RefusesTooManyFields) {
    std::string bytes = "GET / HTTP/1.1\r\nHost: x\r\n";
    for (std::size_t i = 0; i < Headers::kFieldsMax; ++i) bytes += "A: b\r\n";

    EXPECT_EQ(read(bytes + "\r\n"), "431 the header has more than 128 fields");
}

}  // namespace
}  // namespace penstock::http
