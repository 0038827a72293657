// SPDX-License-Identifier: Apache-2.0
#include "agent/acceptance.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace penstock::agent {
namespace {

namespace fs = std::filesystem;

class AcceptanceTest : public testing::Test {
  protected:
    void SetUp() override { std::ofstream(root_ / "m.json") << R"({"loss": 1.5})"; }
    ~AcceptanceTest() override { fs::remove_all(root_); }
    std::string checked(
        const std::string& file, std::optional<std::string> jq, const JqOptions& options = {}
    ) const {
        AcceptanceSpec spec;
        spec.checks = {{.file = file, .jq = std::move(jq)}};
        const std::optional<FailedCheck> failed = failed_check(spec, root_.string(), options);
        return failed ? failed->message : "accepted";
    }
    static fs::path make() {
        std::string name = (fs::temp_directory_path() / "penstock-accept-XXXXXX").string();
        return mkdtemp(name.data());
    }
    fs::path root_ = make();
};

TEST_F(AcceptanceTest, AsksForFilesAndForExpressions) {
    EXPECT_EQ(checked("m.json", std::nullopt), "accepted");
    EXPECT_EQ(checked("/m.json", ".loss < 2"), "accepted");
    EXPECT_EQ(checked("m.json", ".loss > 2"), "jq '.loss > 2' on m.json gave false, not true");
    EXPECT_EQ(checked("m.json", ".loss"), "jq '.loss' on m.json gave 1.5, not true");
    EXPECT_TRUE(checked("absent.json", std::nullopt).starts_with("absent.json is not there"));
    EXPECT_TRUE(checked("m.json", "{{{").starts_with("jq '{{{' on m.json failed: jq: error"));
}

TEST_F(AcceptanceTest, FollowsNoLinkOutOfTheWorkDirectory) {
    fs::create_symlink("/etc/passwd", root_ / "leak");

    EXPECT_TRUE(checked("leak", std::nullopt).starts_with("leak is not there"));
    EXPECT_TRUE(
        checked("../x", std::nullopt).starts_with("pattern '../x' leaves the work directory")
    );
}

TEST_F(AcceptanceTest, GivesExpressionsNothingButTheFile) {
    EXPECT_EQ(checked("m.json", "env | del(.PWD) == {}"), "accepted");
    EXPECT_TRUE(
        checked("m.json", "import \"passwd\" as $p {search: \"/etc\"}; true").find("failed") !=
        std::string::npos
    );
}

TEST_F(AcceptanceTest, EndsAnExpressionThatDoesNot) {
    EXPECT_EQ(
        checked("m.json", "def f: f; f", {.time_max = 300ms}),
        "jq 'def f: f; f' on m.json took longer than 300ms"
    );
}

TEST_F(AcceptanceTest, SaysWhatANodeWithoutJqNeeds) {
    AcceptanceSpec spec;
    spec.checks = {{.file = "m.json", .jq = "true"}};

    const FailedCheck failed = failed_check(spec, root_.string(), {.jq = "/absent/jq"}).value();

    EXPECT_EQ(failed.fault_domain, FaultDomain::provider);
    EXPECT_EQ(
        failed.message, "this node has no /absent/jq to check 'true'; install the package jq on it"
    );
}

}  // namespace
}  // namespace penstock::agent
