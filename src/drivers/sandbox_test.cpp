// SPDX-License-Identifier: Apache-2.0
#include "drivers/sandbox.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace penstock::drivers {
namespace {

LaunchSpec good() { return {.attempt_id = "at_01jd", .script = "true"}; }
std::string field(const LaunchSpec& spec) {
    const Result<void> checked = check_launch_spec(spec);
    return checked ? "ok" : checked.error().field;
}
bool has(const std::vector<std::string>& words, const std::string& word) {
    return std::ranges::find(words, word) != words.end();
}

TEST(LaunchSpec, NamesTheFieldThatIsWrong) {
    LaunchSpec spec = good();
    EXPECT_EQ(field(spec), "ok");
    spec.attempt_id = "../escape";
    EXPECT_EQ(field(spec), "attempt_id");
    spec = good();
    spec.fence = 0;
    EXPECT_EQ(field(spec), "fence");
    spec = good();
    spec.environment["A=B"] = "1";
    EXPECT_EQ(field(spec), "environment");
    spec = good();
    spec.limits.pids = -1;
    EXPECT_EQ(field(spec), "limits");
    spec = good();
    spec.mounts = {{.source = "relative", .target = "/x"}};
    EXPECT_EQ(field(spec), "mounts");
    spec.mounts = {{.source = "/usr", .target = "/x/../../y"}};
    EXPECT_EQ(field(spec), "mounts");
    spec = good();
    spec.devices = {"/etc/passwd"};
    EXPECT_EQ(field(spec), "devices");
}

TEST(Sandbox, OfAnOrdinaryUserIsOneBwrap) {
    const Sandbox sandbox{
        .bwrap = "/usr/bin/bwrap", .setpriv = "/usr/bin/setpriv", .run_directory = "/run/x"
    };

    const std::vector<std::string> words = sandbox_command(sandbox, good(), false, "script.sh");

    EXPECT_EQ(words.front(), "/usr/bin/bwrap");
    EXPECT_EQ(std::ranges::count(words, "/usr/bin/bwrap"), 1);
    EXPECT_TRUE(
        has(words, "--unshare-user") && has(words, "--unshare-net") &&
        has(words, "--disable-userns")
    );
    EXPECT_FALSE(has(words, "/usr/bin/setpriv"));
}

TEST(Sandbox, OfRootDropsToTheTasksUserBeforeTheSecondBwrap) {
    const Sandbox sandbox{
        .bwrap = "/b", .setpriv = "/s", .run_directory = "/run/x", .host_uid = 1900000007
    };

    const std::vector<std::string> words = sandbox_command(sandbox, good(), false, "script.sh");

    const auto drop = std::ranges::find(words, "/s");
    const auto user = std::ranges::find(words, "--unshare-user");
    ASSERT_NE(drop, words.end());
    EXPECT_LT(drop, user) << "the task's environment is read by the second one only";
    EXPECT_EQ(*(drop + 2), "1900000007");
}

TEST(Sandbox, TheEnvironmentOfTheSpecWins) {
    LaunchSpec spec = good();
    spec.limits.cpu_milli = 2000;
    spec.environment = {{"OMP_NUM_THREADS", "8"}, {"HOME", "/elsewhere"}};

    const std::vector<std::string> words = inner_arguments(spec);

    EXPECT_EQ(*(std::ranges::find(words, "OMP_NUM_THREADS") + 1), "8");
    EXPECT_EQ(*(std::ranges::find(words, "HOME") + 1), "/elsewhere");
    EXPECT_EQ(words.front(), "--clearenv");
}

}  // namespace
}  // namespace penstock::drivers
