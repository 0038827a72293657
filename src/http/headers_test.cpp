// SPDX-License-Identifier: Apache-2.0
#include "http/headers.h"

#include <gtest/gtest.h>

namespace penstock::http {
namespace {

std::string render(const Headers& headers) {
    std::string out;
    for (const Header field : headers)
        out.append(field.name).append("=").append(field.value).append(";");
    return out;
}

TEST(Headers, NamesCompareWithoutCase) {
    Headers headers{{"Content-Type", "a"}};

    EXPECT_EQ(headers.get("content-type"), "a");
    headers.set("CONTENT-TYPE", "b");
    EXPECT_EQ(render(headers), "Content-Type=b;");
    EXPECT_EQ(headers.remove("content-TYPE"), 1U);
    EXPECT_TRUE(headers.empty());
}

TEST(Headers, SetReplacesAllOfAName) {
    Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}};

    headers.set("a", "4");

    EXPECT_EQ(render(headers), "A=4;B=2;");
}

TEST(Headers, ValuesStayWhereTheyAreWhenTheHeadersMove) {
    Headers headers{{"A", "1"}};
    const std::string_view value = headers.get("a");

    const Headers moved = std::move(headers);

    EXPECT_EQ(moved.get("a").data(), value.data());
    EXPECT_EQ(value, "1");
}

TEST(Headers, CanBeSetToWhatTheyHoldThemselves) {
    Headers headers{{"A", std::string(100, 'a')}};

    for (int i = 0; i < 20; ++i) headers.set("B", headers.get("A"));
    headers.set("A", headers.get("B"));
    headers.add("C", headers.get("A"));

    EXPECT_EQ(headers.get("A"), std::string(100, 'a'));
    EXPECT_EQ(headers.get("C"), std::string(100, 'a'));
    EXPECT_EQ(headers.size(), 3U);
}

TEST(Headers, EqualOnesHaveTheSameFieldsInTheSameOrder) {
    const Headers headers{{"A", "1"}, {"B", "2"}};
    Headers other{{"A", "3"}, {"B", "2"}};

    EXPECT_FALSE(headers == other);
    other.set("A", "1");
    EXPECT_TRUE(headers == other);
    EXPECT_FALSE(headers == (Headers{{"B", "2"}, {"A", "1"}}));
}

TEST(Headers, FindsTokensInListsOverSeveralLines) {
    const Headers headers{{"Connection", "keep-alive, Upgrade"}, {"connection", "close"}};

    EXPECT_TRUE(headers.has_token("connection", "upgrade"));
    EXPECT_TRUE(headers.has_token("connection", "close"));
    EXPECT_FALSE(headers.has_token("connection", "up"));
}

TEST(Headers, HopByHopFieldsGoWithThoseTheyName) {
    Headers headers{
        {"Connection", "close, X-Private"}, {"X-Private", "1"}, {"Transfer-Encoding", "chunked"},
        {"Proxy-Authorization", "p"},       {"TE", "trailers"}, {"Accept", "*/*"}
    };

    headers.remove_hop_by_hop();

    EXPECT_EQ(render(headers), "Accept=*/*;");
}

TEST(Headers, RemovesByPrefix) {
    Headers headers{{"X-Penstock-Project", "p"}, {"x-penstock-user", "u"}, {"X-Other", "o"}};

    EXPECT_EQ(headers.remove_prefix("x-penstock-"), 2U);
    EXPECT_EQ(render(headers), "X-Other=o;");
}

TEST(FieldSyntax, RefusesWhatBreaksAMessage) {
    EXPECT_TRUE(valid_field_name("X-A_b.c"));
    EXPECT_FALSE(valid_field_name(""));
    EXPECT_FALSE(valid_field_name("a b"));
    EXPECT_FALSE(valid_field_name("a:b"));
    EXPECT_TRUE(valid_field_value("any \t text \xC3\xA9"));
    EXPECT_FALSE(valid_field_value("a\r\nb: c"));
    EXPECT_FALSE(valid_field_value(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace penstock::http
