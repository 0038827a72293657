// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sim/csv.h"

namespace penstock::sim {
namespace {

std::string in_quotes(const std::string& cell) {
    std::string text = "\"";
    for (const char c : cell) text += c == '"' ? std::string("\"\"") : std::string(1, c);
    return text + "\"";
}

RC_GTEST_PROP(CsvProperty, EveryTextThatIsQuotedReadsBackEqual, ()) {
    const auto rows =
        *rc::gen::container<std::vector<std::pair<std::string, std::string>>>(rc::gen::pair(
            rc::gen::container<std::string>(rc::gen::element('a', '"', ',', '\n', '\r', ' ')),
            rc::gen::container<std::string>(rc::gen::element('1', '"', ',', '\n', '\r', '-'))
        ));
    std::string text = "left,right\r\n";
    for (const auto& [left, right] : rows)
        text += in_quotes(left) + "," + in_quotes(right) + "\r\n";

    const Result<Csv> csv = Csv::parse(text, "t.csv");

    RC_ASSERT(csv.has_value());
    RC_ASSERT(csv->rows() == rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        RC_ASSERT(csv->text(i, 0) == rows[i].first);
        RC_ASSERT(csv->text(i, 1) == rows[i].second);
    }
}

}  // namespace
}  // namespace penstock::sim
