// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "dialects/documents.h"
#include "dialects/golden_files.h"

// Documents as files: golden/README.md says what must hold for them.
namespace penstock::dialects {
namespace {

namespace fs = std::filesystem;

Json document(const fs::path& path) {
    Result<Json> value = parse_json(read_file(path));
    EXPECT_TRUE(value) << path << (value ? "" : value.error().message);
    return value ? *value : Json();
}

void expect_equal(const Json& got, const Json& wanted, const std::string& what) {
    EXPECT_TRUE(got == wanted) << what << "\n got    " << print_json(got) << "\n wanted "
                               << print_json(wanted);
}

TEST(Golden, ARequestIsTheSameAfterTheCanonicalForm) {
    const std::vector<fs::path> files = files_in("golden/same/request");
    for (const fs::path& path : files) {
        const Json before = document(path);
        const Result<Request> request = read_request(dialect_of(path), before);
        ASSERT_TRUE(request) << path << " " << to_string(request.error());
        const Written after = write_request(*request, dialect_of(path));
        expect_equal(after.body, before, path.string());
        EXPECT_TRUE(after.dropped.empty()) << path << " " << after.dropped.front();
    }
    EXPECT_GE(files.size(), 8U);
}

TEST(Golden, AnAnswerIsTheSameAfterTheCanonicalForm) {
    const std::vector<fs::path> files = files_in("golden/same/response");
    for (const fs::path& path : files) {
        const Json before = document(path);
        const Result<Response> response = read_response(dialect_of(path), before);
        ASSERT_TRUE(response) << path << " " << to_string(response.error());
        const Written after = write_response(*response, dialect_of(path), {});
        expect_equal(after.body, before, path.string());
        EXPECT_TRUE(after.dropped.empty()) << path;
    }
    EXPECT_GE(files.size(), 5U);
}

// A folder holds one request in several dialects: each becomes each other, and so A → B → A holds.
TEST(Golden, ARequestOfTheSharedSubsetBecomesItselfInEachDialect) {
    std::size_t pairs = 0;
    for (const fs::path& folder : files_in("golden/convert/request"))
        for (const fs::path& from : files_in(folder))
            for (const fs::path& to : files_in(folder)) {
                if (from == to) continue;
                const Result<Request> request = read_request(dialect_of(from), document(from));
                ASSERT_TRUE(request) << from << " " << to_string(request.error());
                const Written written = write_request(*request, dialect_of(to));
                const std::string what = from.string() + " to " + to.filename().string();
                expect_equal(written.body, document(to), what);
                EXPECT_TRUE(written.dropped.empty()) << what << " " << written.dropped.front();
                ++pairs;
            }
    EXPECT_GE(pairs, 44U);
}

// For FROM.json of an engine there is FROM.to.TO.json for each dialect of a client.
TEST(Golden, AnAnswerOfAnEngineIsToldInTheClientsDialect) {
    std::size_t pairs = 0;
    for (const fs::path& folder : files_in("golden/convert/response"))
        for (const fs::path& to : files_in(folder)) {
            const std::string name = to.filename().string();
            const std::size_t mark = name.find(".to.");
            if (mark == std::string::npos) continue;
            const fs::path from = folder / (name.substr(0, mark) + ".json");
            const Result<Response> response = read_response(dialect_of(from), document(from));
            ASSERT_TRUE(response) << from << " " << to_string(response.error());
            const Written written = write_response(*response, dialect_of(to), golden_context);
            expect_equal(written.body, document(to), to.string());
            ++pairs;
        }
    EXPECT_GE(pairs, 9U);
}

}  // namespace
}  // namespace penstock::dialects
