// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "identity/c_url.h"

namespace penstock::identity {
namespace {

struct Vector {
    std::string name, verdict, text, code, canonical, what;
};

std::vector<std::vector<std::string>> read_table(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::vector<std::string>> rows;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with('#')) continue;
        auto& row = rows.emplace_back();
        for (std::size_t at = 0; at <= line.size();) {
            const std::size_t end = std::min(line.find('\t', at), line.size());
            row.push_back(line.substr(at, end - at));
            at = end + 1;
        }
    }
    return rows;
}

std::vector<Vector> vectors() {
    std::vector<Vector> all;
    for (auto& row : read_table("testdata/c_url_vectors.tsv"))
        all.push_back({row.at(0), row.at(1), row.at(2), row.at(3), row.at(4), row.at(5)});
    return all;
}

// GoogleTest finds it by this name.
void PrintTo(const Vector& vector, std::ostream* out) {  // NOLINT(readability-identifier-naming)
    *out << vector.name << " (" << vector.what << ") " << vector.text;
}

class CUrlVector : public testing::TestWithParam<Vector> {};

TEST_P(CUrlVector, IsJudgedAsTheSpecificationSays) {
    const Vector& vector = GetParam();

    const auto parsed = parse(vector.text);

    const std::string verdict = parsed ? "ok" : std::string(to_string(parsed.error().code));
    EXPECT_EQ(verdict, vector.verdict) << (parsed ? "" : to_string(parsed.error()));
    EXPECT_EQ(parsed ? to_string(parsed->code) : "-", vector.code);
    EXPECT_EQ(parsed ? to_string(*parsed) : "-", vector.canonical);
    EXPECT_TRUE(!parsed || validate(*parsed));
    EXPECT_TRUE(
        parsed || (parsed.error().position <= vector.text.size() &&
                   !parsed.error().message.empty() && !parsed.error().remedy.empty())
    );
}

INSTANTIATE_TEST_SUITE_P(
    Table, CUrlVector, testing::ValuesIn(vectors()),
    [](const testing::TestParamInfo<Vector>& info) { return info.param.name; }
);

TEST(CheckCharacter, AgreesWithKnownAnswers) {
    std::vector<std::vector<std::string>> computed = read_table("testdata/check_characters.tsv");
    ASSERT_GT(computed.size(), 5U);
    for (auto& row : computed)
        EXPECT_EQ(std::string(1, check_character(row.at(0))), row.at(1)) << row[0];
}

}  // namespace
}  // namespace penstock::identity
