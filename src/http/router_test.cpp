// SPDX-License-Identifier: Apache-2.0
#include "http/router.h"

#include <gtest/gtest.h>

namespace penstock::http {
namespace {

class RouterTest : public testing::Test {
  protected:
    void add(const char* method, const char* pattern) {
        router.add(method, pattern, [](Request) -> io::Task<Response> {
            co_return Response::empty();
        });
    }
    // "/pattern name=value …", "405 GET,HEAD", "404" or "400".
    std::string match(std::string_view method, std::string_view path) const {
        const Result<Router::Match> match = router.match(method, path);
        if (!match) return "400";
        std::string out =
            match->route == nullptr ? match->allow.empty() ? "404" : "405" : match->route->pattern;
        for (const auto& [name, value] : match->params) out += " " + name + "=" + value;
        for (const std::string& allowed : match->allow) out += " " + allowed;
        return out;
    }
    Router router;
};

TEST_F(RouterTest, PrefersLiteralsThenVerbsThenNamesThenRests) {
    add("GET", "/v1/tasks");
    add("GET", "/v1/tasks/{id}");
    add("POST", "/v1/tasks/{id}:cancel");
    add("GET", "/v1/tasks/latest");
    add("GET", "/v1/{rest...}");
    add("GET", "/v1/tasks/{id}/logs");
    add("GET", "/v1/events:watch");

    EXPECT_EQ(match("GET", "/v1/tasks"), "/v1/tasks");
    EXPECT_EQ(match("GET", "/v1/tasks/tk_1"), "/v1/tasks/{id} id=tk_1");
    EXPECT_EQ(match("GET", "/v1/tasks/latest"), "/v1/tasks/latest");
    EXPECT_EQ(match("POST", "/v1/tasks/tk_1:cancel"), "/v1/tasks/{id}:cancel id=tk_1");
    EXPECT_EQ(match("GET", "/v1/tasks/tk_1/logs"), "/v1/tasks/{id}/logs id=tk_1");
    EXPECT_EQ(match("GET", "/v1/tasks/latest/logs"), "/v1/tasks/{id}/logs id=latest");
    EXPECT_EQ(match("GET", "/v1/tasks/tk_1/else"), "/v1/{rest...} rest=tasks/tk_1/else");
    EXPECT_EQ(match("GET", "/v1/events:watch"), "/v1/events:watch");
    EXPECT_EQ(match("GET", "/v1/"), "/v1/{rest...} rest=");
    EXPECT_EQ(match("GET", "/v2"), "404");
}

TEST_F(RouterTest, TellsTheMethodsOfAPath) {
    add("GET", "/v1/tasks");
    add("POST", "/v1/tasks");

    EXPECT_EQ(match("DELETE", "/v1/tasks"), "405 GET HEAD POST");
    EXPECT_EQ(match("HEAD", "/v1/tasks"), "/v1/tasks");
}

TEST_F(RouterTest, DecodesParametersAfterSplitting) {
    add("GET", "/v1/models/{model}");

    EXPECT_EQ(match("GET", "/v1/models/org%2Fname:8b"), "/v1/models/{model} model=org/name:8b");
    EXPECT_EQ(match("GET", "/v1/models/"), "404");
}

TEST_F(RouterTest, RefusesPathsThatClimb) {
    add("GET", "/files/{path...}");

    EXPECT_EQ(match("GET", "/files/a/../b"), "400");
    EXPECT_EQ(match("GET", "/files/a/%2e%2E/b"), "400");
    EXPECT_EQ(match("GET", "/files/a%2f..%2fb"), "400");
    EXPECT_EQ(match("GET", "/files/%00"), "400");
    EXPECT_EQ(match("GET", "/files/%4"), "400");
    EXPECT_EQ(match("GET", "/files/a/b.txt"), "/files/{path...} path=a/b.txt");
}

TEST_F(RouterTest, ListsItsRoutesInOrder) {
    add("GET", "/b");
    add("GET", "/a");

    ASSERT_EQ(router.routes().size(), 2U);
    EXPECT_EQ(router.routes()[0]->pattern, "/b");
}

TEST_F(RouterTest, RefusesARouteTwice) {
    add("GET", "/a/{x}");

    EXPECT_DEATH(add("GET", "/a/{x}"), "added once");
}

}  // namespace
}  // namespace penstock::http
