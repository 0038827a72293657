// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <gtest/gtest.h>

namespace penstock::http {
namespace {

std::string parts(std::string_view text) {
    const Result<Url> url = parse_url(text);
    if (!url) return "error";
    return url->scheme + "|" + url->user_info + "|" + url->host + "|" + std::to_string(url->port) +
           "|" + url->target;
}

TEST(Url, IsTakenApart) {
    EXPECT_EQ(parts("http://Example.org"), "http||example.org|80|/");
    EXPECT_EQ(parts("https://u:p@h:8443/a/b?c=d#e"), "https|u:p|h|8443|/a/b?c=d");
    EXPECT_EQ(parts("WSS://[::1]:9000/s"), "wss||::1|9000|/s");
    EXPECT_EQ(parts("http://h?x=1"), "http||h|80|/?x=1");
    EXPECT_EQ(parts("ws://127.0.0.1:0x/"), "error");
}

TEST(Url, RefusesWhatIsNotUsable) {
    for (const char* bad :
         {"", "example.org", "ftp://h/", "http://", "http:///p", "http://h:0/", "http://h:99999/",
          "http://h /", "http://%41/", "/path", "https://h:name.org:8443/a"})
        EXPECT_EQ(parts(bad), "error") << bad;
}

TEST(Url, IsPrintedAsItIsWritten) {
    EXPECT_EQ(to_string(*parse_url("https://h:443/a?b")), "https://h/a?b");
    EXPECT_EQ(parse_url("http://[::1]:81/")->origin(), "http://[::1]:81");
}

TEST(PercentDecode, ReadsEscapesAndRefusesBrokenOnes) {
    EXPECT_EQ(percent_decode("a%20b%2Fc+d"), "a b/c+d");
    EXPECT_EQ(percent_decode("a+b", true), "a b");
    EXPECT_FALSE(percent_decode("%4").has_value());
    EXPECT_FALSE(percent_decode("%zz").has_value());
    EXPECT_EQ(percent_decode("%41"), "A");
}

TEST(PercentEncode, IsUndoneByDecoding) {
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);

    EXPECT_EQ(percent_decode(percent_encode(all)), all);
    EXPECT_EQ(percent_encode("a b/~"), "a%20b%2F~");
}

TEST(Query, KeepsOrderAndRepeats) {
    const Result<Query> query = Query::parse("a=1&b=x%20y&a=2&c&&d=");

    ASSERT_TRUE(query.has_value());
    EXPECT_EQ(query->get("a"), "1");
    EXPECT_EQ(query->get_all("a").size(), 2U);
    EXPECT_EQ(query->get("b"), "x y");
    EXPECT_TRUE(query->contains("c"));
    EXPECT_FALSE(query->contains("e"));
    EXPECT_EQ(query->to_string(), "a=1&b=x%20y&a=2&c=&d=");
}

}  // namespace
}  // namespace penstock::http
