// SPDX-License-Identifier: Apache-2.0
#include "config/yaml.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace penstock::yaml {
namespace {

// The tree as JSON text, or the error's message.
std::string read(std::string_view text) {
    const Result<json::Value> value = parse(text);
    return value ? json::print_value(*value) : value.error().message;
}

TEST(Yaml, TellsNumbersFromTexts) {
    EXPECT_EQ(
        read("a: 3\nb: \"3\"\nc: '3'\nd: 0x1F\ne: 0o17\nf: -2\ng: 1.5\nh: 1e3\ni: 3s\nj: 1.2.3\nk: "
             "!!str 4\nl: 010\n"),
        R"({"a":3,"b":"3","c":"3","d":31,"e":15,"f":-2,"g":1.5,"h":1000.0,"i":"3s","j":"1.2.3","k":"4","l":10})"
    );
}

TEST(Yaml, KnowsOnlyTheWordsOfTheCoreSchema) {
    EXPECT_EQ(
        read("[true, False, null, ~, no, yes, on, off, NO, y, 'null', \"true\", 12:30, 2026-01-01]"
        ),
        R"([true,false,null,null,"no","yes","on","off","NO","y","null","true","12:30","2026-01-01"])"
    );
}

TEST(Yaml, ReadsTheUsualForms) {
    EXPECT_EQ(
        read("# comment\nname: render\nneeds:\n  - gpu: 1\n    kind: nvidia\n  - {cpu: 2}\nscript: "
             "|\n  a\n  b\nempty:\n"),
        R"({"name":"render","needs":[{"gpu":1,"kind":"nvidia"},{"cpu":2}],"script":"a\nb\n","empty":null})"
    );
    EXPECT_EQ(read(""), "null");
    EXPECT_EQ(read("{\"json\": [1, \"a\"]}"), R"({"json":[1,"a"]})");
}

TEST(Yaml, ResolvesAnchors) {
    EXPECT_EQ(read("a: &x {b: 1}\nc: *x\n"), R"({"a":{"b":1},"c":{"b":1}})");
}

TEST(Yaml, RefusesABombOfAliases) {
    std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 12; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int n = 0; n < 10; ++n) bomb += (n > 0 ? "," : "") + before;
        bomb += "]\n";
    }

    EXPECT_NE(read(bomb).find("more than 200000 values"), std::string::npos);
}

// What the library takes for a document that never ends, or for endlessly many.
TEST(Yaml, EndsWithWhatIsNoDocument) {
    for (const char* text : {",", "a: 1\n,", "]", "}", ",,,", "? ,", "- ,\n,", "--- ,", "[],"})
        EXPECT_FALSE(parse(text)) << text << ": " << read(text);
}

TEST(Yaml, RefusesDeepNesting) {
    EXPECT_NE(
        read(std::string(200, '[') + std::string(200, ']')).find("more than 64 levels"),
        std::string::npos
    );
    EXPECT_NE(read(std::string(100'000, '[')), "");
}

TEST(Yaml, SaysWhereAMistakeIs) {
    EXPECT_EQ(read("a: 1\nb: 2\na: 3\n"), "line 3, column 1: the key 'a' is given twice");
    EXPECT_EQ(read("a:\n\tb: 1\n"), "line 2: indented with a tab; YAML allows spaces only");
    EXPECT_EQ(read("a: !secret x\n"), "line 1, column 4: the tag '!secret' is not supported");
    EXPECT_EQ(read("a: {b: 1\n").substr(0, 5), "line ");
    EXPECT_EQ(
        read("x: &a {b: 1}\ny:\n  <<: *a\n"),
        "line 3, column 3: merge keys (<<) are not supported: write the fields out"
    );
    EXPECT_EQ(read("? [a]\n: b\n"), "line 1, column 3: a key must be a plain text");
    EXPECT_EQ(
        read("a: 123456789012345678901\n"),
        "line 1, column 4: the number 123456789012345678901 is too large; quote it if it is a text"
    );
    EXPECT_EQ(read("a: .inf"), "line 1, column 4: '.inf' is not a number that can be used here");
    EXPECT_EQ(read("a: 1\n---\nb: 2\n"), "line 2, column 1: a second document; only one is read");
    EXPECT_EQ(read("a: 1\n...\nb: 2\n"), "line 3, column 1: a second document; only one is read");
    EXPECT_EQ(read(","), "line 1, column 1: no key or value begins with ','");
    EXPECT_EQ(read("[1],\n"), "line 1, column 4: no key or value begins with ','");
    EXPECT_EQ(read("a: *unknown\n").substr(0, 6), "line 1");
}

TEST(Yaml, RemembersTheLinesOfFields) {
    const Result<Document> document = Document::parse("a: 1\nb:\n  - c: 2\n    d:\n      e: 3\n");

    ASSERT_TRUE(document.has_value());
    EXPECT_EQ(document->lines().at("b[0].d.e"), 5U);
    EXPECT_EQ(document->lines().at("b[0].c"), 3U);
}

TEST(Yaml, PrintsWhatItReadsBack) {
    const json::Value value = *json::parse_value(
        R"({"name":"render","count":3,"text":"3","yes":"no","list":[1,[2,[3]],{"a":{"b":[]},"c":{}}],"script":"a\nb\n",
            "odd":["", " x", "a: b", "#c", "- d", "\u0001", "中", "x\ny", "~", "null", "1.5", "0x1", "2026-01-01", "<<",
                   "a\n\nb\n", "\n", " a\n", "*x", "&y", "!z", "%", "@", "`", "?", "a:", "'", "\"", "true"],"n":null,"t":true})"
    );

    const std::string text = print(value);

    EXPECT_EQ(read(text), json::print_value(value)) << text;
    EXPECT_TRUE(
        text.starts_with("name: render\ncount: 3\ntext: \"3\"\n\"yes\": \"no\"\nlist:\n  - 1\n  - "
                         "- 2\n    - - 3\n  - a:\n      b: []\n    c: {}\n"
                         "script: |\n  a\n  b\n")
    ) << text;
}

TEST(Yaml, PrintsScalarsAndEmptyThings) {
    EXPECT_EQ(print(json::Value(3)), "3\n");
    EXPECT_EQ(print(json::Array{}), "[]\n");
    EXPECT_EQ(print(json::Array{"a\nb\n"}), "- |\n  a\n  b\n");
}

}  // namespace
}  // namespace penstock::yaml
