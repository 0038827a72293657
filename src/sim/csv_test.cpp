// SPDX-License-Identifier: Apache-2.0
#include "sim/csv.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

std::string mistake(std::string_view text) {
    const Result<Csv> csv = Csv::parse(text, "t.csv");
    return csv ? "none" : csv.error().message;
}

TEST(Csv, ReadsCellsByColumnName) {
    const Csv csv = Csv::parse("name,gpu\na,2\nb,0\n", "t.csv").value();

    EXPECT_EQ(csv.rows(), 2);
    EXPECT_EQ(csv.text(1, csv.column("name").value()), "b");
    EXPECT_EQ(csv.integer(0, csv.column("gpu").value(), 0, 8), 2);
}

TEST(Csv, QuotedCellsKeepCommasQuotesAndLineBreaks) {
    const Csv csv = Csv::parse("a,b\r\n\"x,\"\"y\"\"\nz\",2\r\n", "t.csv").value();

    EXPECT_EQ(csv.text(0, 0), "x,\"y\"\nz");
    EXPECT_EQ(csv.text(0, 1), "2");
}

TEST(Csv, TheLastLineNeedsNoBreakAndAByteOrderMarkIsIgnored) {
    const Csv csv = Csv::parse(
                        "\xEF\xBB\xBF"
                        "a,b\n,",
                        "t.csv"
    )
                        .value();

    EXPECT_EQ(csv.columns().front(), "a");
    EXPECT_EQ(csv.rows(), 1);
    EXPECT_EQ(csv.text(0, 1), "");
}

TEST(Csv, TellsTheLineOfWhatIsMalformed) {
    EXPECT_EQ(mistake(""), "t.csv: empty; a heading is expected");
    EXPECT_EQ(mistake("a,b\n1,2\n3\n"), "t.csv:3: 1 cells, the heading has 2");
    EXPECT_EQ(mistake("a,b\n1,2\n\n"), "t.csv:3: 1 cells, the heading has 2");
    EXPECT_EQ(mistake("a,a\n"), "t.csv:1: two columns are called a");
    EXPECT_EQ(mistake("a,\n"), "t.csv:1: column 2 has no name");
    EXPECT_EQ(mistake("a\n\"x\n"), "t.csv:2: a quote is opened and never closed");
    EXPECT_EQ(mistake("a\n\"x\"y\n"), "t.csv:2: text behind a closing quote");
    EXPECT_EQ(mistake("a\rb\n"), "t.csv:1: a carriage return without a line feed");
    EXPECT_EQ(
        mistake("a\nx\"y\"\n"),
        "t.csv:2: a quote inside a cell: quote the whole cell and double its quotes"
    );
}

TEST(Csv, TellsFileLineAndColumnOfAWrongCell) {
    const Csv csv = Csv::parse("name,gpu\n,2.5\n", "t.csv").value();

    EXPECT_EQ(
        csv.integer(0, 1, 0, 8).error().message,
        "t.csv:2: column gpu: '2.5' is no whole number from 0 to 8"
    );
    EXPECT_EQ(
        csv.number(0, 1, 0, 2).error().message,
        "t.csv:2: column gpu: '2.5' is no number from 0 to 2"
    );
    EXPECT_EQ(
        csv.filled_text(0, 0).error().message, "t.csv:2: column name: is empty; a text is expected"
    );
    EXPECT_EQ(
        csv.column("cpu").error().message, "t.csv:1: there is no column cpu; there are name, gpu"
    );
}

TEST(Csv, NumbersThatAreNoneAreRefused) {
    const Csv csv = Csv::parse("x\nnan\n", "t.csv").value();

    EXPECT_FALSE(csv.number(0, 0, -1e9, 1e9));
}

}  // namespace
}  // namespace penstock::sim
