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

void expect_file(const fs::path& path, const Json& got) {
    if (updates_golden()) write_file(path, print_json(got) + "\n");
    expect_equal(got, document(path), path.string());
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

// For FROM.json of an engine there is FROM.to.TO.json for each dialect of a client. What it loses
// is in FROM.to.TO.lost, name by name.
TEST(Golden, AnAnswerOfAnEngineIsToldInTheClientsDialect) {
    std::size_t pairs = 0;
    for (const fs::path& folder : files_in("golden/convert/response"))
        for (const fs::path& from : files_in(folder)) {
            if (from.filename().string().find(".to.") != std::string::npos) continue;
            const Result<Response> response = read_response(dialect_of(from), document(from));
            ASSERT_TRUE(response) << from << " " << to_string(response.error());
            for (const Dialect to : kDialects) {
                if (to == dialect_of(from)) continue;
                const Written written = write_response(*response, to, golden_context);
                const fs::path path = told_file(from, to, ".json");
                expect_file(path, written.body);
                std::vector<std::string> lost = written.dropped;
                lost.insert(lost.end(), written.beside.begin(), written.beside.end());
                expect_losses(path, lost);
                ++pairs;
            }
        }
    EXPECT_GE(pairs, 9U);
}

// What an answer says, in the words that every dialect has: texts joined, ids left out where one of
// the two has none.
std::string said_by(const Response& response) {
    std::string said;
    Part::Kind open = Part::Kind::native;
    for (const Part& part : response.choices.front().parts) {
        const bool text = part.kind == Part::Kind::text || part.kind == Part::Kind::refusal;
        const Part::Kind kind = text ? Part::Kind::text : part.kind;
        if (text && part.text.empty()) continue;
        if (!text || open != Part::Kind::text) said += "\n" + std::to_string(int(kind)) + " ";
        said += part.name == "thinking" ? "" : part.kind == Part::Kind::tool_call ? part.name : "";
        const bool call = part.kind == Part::Kind::tool_call;
        const Result<Json> object = parse_json(part.text);
        said += (call && object ? print_json(*object) : part.text) + part.signature + part.data;
        open = kind;
    }
    return said;
}

TEST(Golden, AnAnswerSaysTheSameAfterAnotherDialect) {
    std::size_t pairs = 0;
    for (const fs::path& folder : files_in("golden/convert/response"))
        for (const fs::path& from : files_in(folder)) {
            if (from.filename().string().find(".to.") != std::string::npos) continue;
            const Result<Response> response = read_response(dialect_of(from), document(from));
            ASSERT_TRUE(response) << from;
            for (const Dialect to : kDialects) {
                const Written there = write_response(*response, to, golden_context);
                if (to == dialect_of(from) || !there.dropped.empty()) continue;
                const Result<Response> read = read_response(to, there.body);
                ASSERT_TRUE(read) << from << " " << word_of(to);
                EXPECT_EQ(said_by(*read), said_by(*response)) << from << " " << word_of(to);
                ++pairs;
            }
        }
    EXPECT_GE(pairs, 9U);
}

}  // namespace
}  // namespace penstock::dialects
