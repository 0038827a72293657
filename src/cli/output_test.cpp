// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <sstream>

namespace penstock::cli {
namespace {

const View& view() {
    static const View kView{
        .plural = "tasks",
        .singular = "task",
        .columns =
            {text_column("ID", "id"), text_column("STATE", "state"),
             wide(text_column("SITE", "placement.site")), amount_column("COST", "cost"),
             age_column("AGE", "created_at")},
    };
    return kView;
}

constexpr auto kPage =
    R"({"tasks":[{"id":"tk_1","state":"RUNNING","placement":{"site":"north hall"},"cost":"1.500000","created_at":"2026-11-24T12:00:00Z"},{"id":"tk_2","state":"PENDING","cost":"0.00","created_at":"2026-11-24T11:00:00Z"}],"next_page_token":"n","total":99})";

// What stands on stdout, then, behind "|", on stderr.
std::string printed(OutputOptions options, Language language = Language::en) {
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    const Terminal terminal{in, out, err};
    const Printer printer(
        terminal, std::move(options),
        {.now = *parse_rfc3339("2026-11-24T12:05:00Z"), .language = language}
    );
    const Result<void> result = printer.list(view(), *json::parse_value(kPage));
    return result ? out.str() + "|" + err.str() : to_string(result.error());
}

TEST(Printer, AlignsATableAndTellsHowMuchIsShown) {
    EXPECT_EQ(
        printed({}),
        "ID    STATE    COST  AGE\n"
        "tk_1  RUNNING  1.50  5m\n"
        "tk_2  PENDING  0.00  1h\n"
        "|Shown 2 of 99\n"
    );
}

TEST(Printer, TranslatesHeadingsAndProseOnly) {
    EXPECT_EQ(
        printed({}, Language::zh),
        "编号  状态     费用  创建于\n"
        "tk_1  RUNNING  1.50  5m\n"
        "tk_2  PENDING  0.00  1h\n"
        "|显示 2 条，共 99 条\n"
    );
}

TEST(Printer, ShowsMoreInWordsWithWide) {
    EXPECT_EQ(
        printed({.format = Format::wide, .header = false}),
        "tk_1  RUNNING  north_hall  1.50  5m\ntk_2  PENDING  -           0.00  1h\n|Shown 2 of 99\n"
    );
}

TEST(Printer, PrintsThePageAsTheApiGaveIt) {
    EXPECT_EQ(
        *json::parse_value(printed({.format = Format::json})
                               .substr(0, printed({.format = Format::json}).size() - 1)),
        *json::parse_value(kPage)
    );
}

TEST(Printer, PrintsOneObjectPerLine) {
    const std::string lines = printed({.format = Format::jsonl});
    EXPECT_EQ(std::ranges::count(lines, '\n'), 2);
    EXPECT_TRUE(lines.starts_with(R"({"id":"tk_1",)"));
}

TEST(Printer, PrintsNames) {
    EXPECT_EQ(printed({.format = Format::name}), "task/tk_1\ntask/tk_2\n|");
}

TEST(Printer, PrintsExactValuesAsCsv) {
    EXPECT_EQ(
        printed({.format = Format::csv}, Language::zh),
        "ID,STATE,SITE,COST,AGE\r\n"
        "tk_1,RUNNING,north hall,1.500000,2026-11-24T12:00:00Z\r\n"
        "tk_2,PENDING,,0.00,2026-11-24T11:00:00Z\r\n|"
    );
}

TEST(Printer, PrintsYaml) {
    EXPECT_TRUE(printed({.format = Format::yaml}).starts_with("tasks:\n"))
        << printed({.format = Format::yaml});
}

TEST(Printer, TakesColumnsByNameAndByPath) {
    EXPECT_EQ(
        printed({.columns = {"id", "placement.site"}}),
        "ID    placement.site\ntk_1  north hall\ntk_2  -\n|Shown 2 of 99\n"
    );
}

TEST(Printer, SuggestsAColumn) {
    EXPECT_EQ(
        printed({.columns = {"stat"}}),
        "invalid_argument: --columns: there is no column 'stat' (did you mean STATE?); there are "
        "ID, STATE, SITE, COST, AGE, and every path "
        "of the JSON, such as spec.priority"
    );
}

TEST(Printer, FiltersWithJq) {
    EXPECT_EQ(printed({.jq = ".tasks[].id"}), "tk_1\ntk_2\n|");
    EXPECT_EQ(printed({.jq = ".total + 1"}), "100\n|");
    EXPECT_TRUE(
        printed({.jq = ".tasks["}).starts_with("invalid_argument: --jq: '.tasks[' is no jq filter")
    );
}

}  // namespace
}  // namespace penstock::cli
