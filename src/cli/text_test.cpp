// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cli/human_text.h"
#include "cli/suggestion.h"
#include "cli/table.h"
#include "cli/text_width.h"

namespace penstock::cli {
namespace {

TEST(TextWidth, CountsWideCharactersTwiceAndMarksNot) {
    EXPECT_EQ(display_width("cpu"), 3U);
    EXPECT_EQ(display_width("算力"), 4U);
    EXPECT_EQ(display_width("e\u0301"), 1U);
    EXPECT_EQ(display_width("✔ chosen"), 8U);
    EXPECT_EQ(display_width("\xff"), 1U);
}

TEST(TextWidth, CutsAtAColumnNotInsideACharacter) {
    EXPECT_EQ(shorten("算力互联网", 6), "算力…");
    EXPECT_EQ(shorten("short", 6), "short");
}

TEST(TextWidth, TakesControlCharactersOutOfForeignText) {
    EXPECT_EQ(printable("a\033[31mb\nc"), "a [31mb c");
}

TEST(NumberText, ShowsSomethingOfEveryNumberThatIsNotZero) {
    EXPECT_EQ(number_text(1.9, 2), "1.9");
    EXPECT_EQ(number_text(0, 2), "0");
    EXPECT_EQ(number_text(0.006, 2), "0.01");
    EXPECT_EQ(number_text(0.000314, 2), "0.00031");
    EXPECT_EQ(number_text(-0.0002, 2), "-0.0002");
    EXPECT_EQ(number_text(1e-9, 2), "0.000000001");
    EXPECT_EQ(number_text(std::nullopt, 2), "-");
}

TEST(Table, AlignsByWhatATerminalShows) {
    Table table({{"NAME"}, {"COST", Align::right}, {"AGE"}});
    table.add({"训练", "1.5", "3m"});
    table.add({"train", "", "12d"});
    EXPECT_EQ(
        table.render({}),
        "NAME   COST  AGE\n"
        "训练    1.5  3m\n"
        "train     -  12d\n"
    );
}

TEST(Table, HasNoSpacesInsideWideCells) {
    Table table({{"NAME"}, {"MESSAGE"}});
    table.add({"a", "two words"});
    EXPECT_EQ(table.render({.header = false, .words = true}), "a  two_words\n");
}

TEST(Csv, QuotesWhatNeedsIt) {
    EXPECT_EQ(
        csv_line({"a", "b,c", "say \"hi\"", "two\nlines", "=1+1", "-5.00"}),
        "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\",'=1+1,-5.00\r\n"
    );
}

TEST(HumanText, WritesAgesWithOneUnit) {
    EXPECT_EQ(age_text(42s), "42s");
    EXPECT_EQ(age_text(90s), "1m");
    EXPECT_EQ(age_text(25h), "25h");
    EXPECT_EQ(age_text(49h), "2d");
    EXPECT_EQ(age_text(-5s), "0s");
}

TEST(HumanText, WritesSpansWithTwoUnits) {
    EXPECT_EQ(span_text(850ms), "0.8s");
    EXPECT_EQ(span_text(90s), "1m30s");
    EXPECT_EQ(span_text(2h + 5min), "2h05m");
}

TEST(HumanText, KeepsDigitsOfAmountsThatMatter) {
    EXPECT_EQ(amount_text("12.500000"), "12.50");
    EXPECT_EQ(amount_text("0.001204"), "0.001204");
    EXPECT_EQ(amount_text("3"), "3");
}

TEST(HumanText, WritesSizesAndThousandths) {
    EXPECT_EQ(bytes_text(12), "12B");
    EXPECT_EQ(bytes_text(1536LL * 1024 * 1024), "1.5GiB");
    EXPECT_EQ(milli_text(2500), "2.5");
    EXPECT_EQ(milli_text(8000), "8");
}

TEST(Suggestion, FindsTheWordWithTheFewestEdits) {
    EXPECT_EQ(nearest("tsak", {"task", "node"}), "task");
    EXPECT_EQ(nearest("exit", {"task", "node"}), "");
}

}  // namespace
}  // namespace penstock::cli
