// SPDX-License-Identifier: Apache-2.0
#include "routing/json_scanner.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

std::string problem_of(std::string_view text, JsonScanner::Text mode = JsonScanner::Text::strict) {
    JsonScanner scan(text, mode);
    scan.skip();
    scan.finish();
    return scan.failed() ? scan.problem() : "valid";
}

std::string decoded(std::string_view text) {
    JsonScanner scan(text, JsonScanner::Text::lenient);
    JsonScanner::String value;
    return scan.read_string(value) ? scan.decode(value) : scan.problem();
}

TEST(JsonScanner, AcceptsEveryKindOfValue) {
    EXPECT_EQ(
        problem_of(
            R"( {"a":[1,-2.5e+3,0.1,true,false,null,"x\n\u4e2d\ud83d\ude00"],"b":{},"c":[]} )"
        ),
        "valid"
    );
}

TEST(JsonScanner, NamesWhatIsWrongAndWhere) {
    EXPECT_EQ(problem_of(R"({"a" 1})"), "expected ':' at byte 5");
    EXPECT_EQ(problem_of(R"({"a":1,})"), "nothing follows the comma at byte 7");
    EXPECT_EQ(problem_of(R"([1 2])"), "expected ',' or a closing bracket at byte 3");
    EXPECT_EQ(problem_of(R"({"a":1} x)"), "something follows the value at byte 8");
    EXPECT_EQ(problem_of("[01]"), "expected ',' or a closing bracket at byte 2");
    EXPECT_EQ(problem_of("[1.]"), "a number needs a digit after the point at byte 3");
    EXPECT_EQ(problem_of("[tru]"), "expected true, false or null at byte 1");
    EXPECT_EQ(problem_of(R"({"a":"b)"), "a string is not closed at byte 5");
    EXPECT_EQ(problem_of("{"), "the text ends early at byte 1");
    EXPECT_EQ(problem_of(""), "the text ends early at byte 0");
}

TEST(JsonScanner, RefusesControlCharactersAndUnknownEscapes) {
    EXPECT_EQ(problem_of("\"a\nb\""), "a control character in a string at byte 2");
    EXPECT_EQ(problem_of(R"("\x")"), "an unknown escape in a string at byte 1");
    EXPECT_EQ(problem_of(R"("\u12g4")"), "\\u needs four hexadecimal digits at byte 1");
}

// Long strings are looked at many bytes at a time.
TEST(JsonScanner, FindsWhatIsSpecialAtEveryPlaceOfALongString) {
    constexpr std::size_t kSize = 80;
    for (std::size_t at = 0; at < kSize; ++at) {
        const std::string before(at, 'a');
        const std::string behind(kSize - at, 'b');
        const std::string place = " at byte " + std::to_string(at + 1);
        const auto with = [&](std::string_view inside) {
            return "\"" + before + std::string(inside) + behind + "\"";
        };
        EXPECT_EQ(problem_of(with("\x01")), "a control character in a string" + place);
        EXPECT_EQ(problem_of(with("\x1F")), "a control character in a string" + place);
        EXPECT_EQ(problem_of(with("\xFF")), "invalid UTF-8" + place);
        EXPECT_EQ(
            problem_of(with("\xE4\xB8\xAD\xE6")), "invalid UTF-8 at byte " + std::to_string(at + 4)
        );
        EXPECT_EQ(problem_of(with("\\x")), "an unknown escape in a string" + place);
        EXPECT_EQ(
            problem_of(with("\"")), "something follows the value at byte " + std::to_string(at + 2)
        );
        EXPECT_EQ(problem_of(with(" ~\x7F\xE4\xB8\xAD\xE6\x96\x87")), "valid");
        EXPECT_EQ(decoded(with("\\n\xE4\xB8\xAD")), before + "\n\xE4\xB8\xAD" + behind);
    }
}

TEST(JsonScanner, RefusesTextThatIsNotUtf8) {
    EXPECT_EQ(problem_of("\"\xC3\x28\""), "invalid UTF-8 at byte 1");
    EXPECT_EQ(problem_of("\"\xC0\xAF\""), "invalid UTF-8 at byte 1");      // overlong
    EXPECT_EQ(problem_of("\"\xED\xA0\x80\""), "invalid UTF-8 at byte 1");  // a surrogate
    EXPECT_EQ(problem_of("\"\xF4\x90\x80\x80\""), "invalid UTF-8 at byte 1");
    EXPECT_EQ(problem_of("\"plain text \xE4\xB8\xAD \xF0\x9F\x98\x80\""), "valid");
    EXPECT_EQ(problem_of("\"\xC3\x28\"", JsonScanner::Text::lenient), "valid");
}

TEST(JsonScanner, RefusesLoneSurrogatesFromClientsOnly) {
    EXPECT_EQ(problem_of(R"("\ud83d")"), "a lone surrogate in a string at byte 1");
    EXPECT_EQ(problem_of(R"("\ud83d\u0041")"), "a lone surrogate in a string at byte 1");
    EXPECT_EQ(problem_of(R"("\ude00")"), "a lone surrogate in a string at byte 1");
    EXPECT_EQ(problem_of(R"("\ud83d")", JsonScanner::Text::lenient), "valid");
}

TEST(JsonScanner, BoundsTheDepth) {
    const std::size_t most = JsonScanner::kDepthMax;
    EXPECT_EQ(problem_of(std::string(most, '[') + std::string(most, ']')), "valid");
    EXPECT_EQ(problem_of(std::string(most + 1, '[')), "the text is nested too deeply at byte 128");
}

TEST(JsonScanner, DecodesEscapes) {
    EXPECT_EQ(decoded(R"("a\"\\\/\b\f\n\r\tz")"), "a\"\\/\b\f\n\r\tz");
    EXPECT_EQ(
        decoded(R"("\u0041\u00e9\u4e2d\ud83d\ude00")"), "A\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80"
    );
    EXPECT_EQ(decoded(R"("\ud83d!")"), "\xEF\xBF\xBD!");
}

TEST(JsonScanner, ReadsWholeNumbersOnly) {
    const auto integer = [](std::string_view text) {
        JsonScanner scan(text);
        return scan.read_integer();
    };
    EXPECT_EQ(integer("-17"), -17);
    EXPECT_EQ(integer("9223372036854775807"), 9223372036854775807);
    EXPECT_EQ(integer("9223372036854775808"), std::nullopt);
    EXPECT_EQ(integer("1.0"), std::nullopt);
    EXPECT_EQ(integer("\"1\""), std::nullopt);
}

TEST(JsonText, EscapesWhatJsonAsksAndRepairsInvalidUtf8) {
    std::string out;
    append_json_string(out, "a\"\\\n\x01\xE4\xB8\xAD\xFF");
    EXPECT_EQ(out, "\"a\\\"\\\\\\u000a\\u0001\xE4\xB8\xAD\xEF\xBF\xBD\"");
}

TEST(JsonScanner, ClipsATextBetweenTwoCharacters) {
    EXPECT_EQ(clip_text("water", 9), "water");
    EXPECT_EQ(clip_text("water", 3), "wat");
    EXPECT_EQ(clip_text("\xE6\xB0\xB4\xE8\xBD\xA6", 5), "\xE6\xB0\xB4");
    EXPECT_EQ(clip_text("a\xFFz", 9), "a\xEF\xBF\xBDz");
    EXPECT_EQ(clip_text("a\xFFz", 3), "a");
}

}  // namespace
}  // namespace penstock::routing
