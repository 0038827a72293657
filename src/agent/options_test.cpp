// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "agent/agent.h"
#include "json/json.h"

namespace penstock::agent {
namespace {

std::string mistake(const AgentConfig& config) {
    const Result<AgentOptions> options = agent_options(config);
    return options ? "" : to_string(options.error());
}
AgentConfig config() {
    AgentConfig made;
    made.key = "sk-abc";
    made.state_dir = "/tmp/state";
    return made;
}

TEST(AgentOptions, TakesTheHostsNameByDefault) {
    const AgentOptions options = agent_options(config()).value();

    EXPECT_FALSE(options.node_name.empty());
    EXPECT_EQ(options.key, "sk-abc");
}

TEST(AgentOptions, ReadsAKeyThatOnlyItsOwnerCanRead) {
    const std::string file =
        (std::filesystem::temp_directory_path() / "penstock-key-test").string();
    std::ofstream(file) << "sk-from-a-file\n";
    AgentConfig made = config();
    made.key.reset();
    made.key_file = file;

    chmod(file.c_str(), 0644);
    EXPECT_EQ(
        mistake(made),
        "permission_denied: key_file: " + file + " can be read by others; chmod 600 " + file
    );
    chmod(file.c_str(), 0600);
    EXPECT_EQ(agent_options(made).value().key, "sk-from-a-file");
    std::filesystem::remove(file);
}

TEST(AgentOptions, NamesEachMistakeWithItsRemedy) {
    AgentConfig no_key = config();
    no_key.key.reset();
    AgentConfig relative = config();
    relative.state_dir = "state";
    AgentConfig no_cpu = config();
    no_cpu.cpu_milli = 0;

    EXPECT_EQ(
        mistake(no_key),
        "invalid_argument: key: holds no key of the form sk-…; make one with `penstock key create "
        "--role agent`"
    );
    EXPECT_EQ(mistake(relative), "invalid_argument: state_dir: must be an absolute path");
    EXPECT_EQ(
        mistake(no_cpu),
        "invalid_argument: cpu_milli: must be above zero; leave it out to offer everything"
    );
}

TEST(AgentOptions, RefusesUnknownKeys) {
    const Result<AgentConfig> read =
        json::parse<AgentConfig>(R"({"server": "http://a:1", "sever": "x"})");

    ASSERT_FALSE(read.has_value());
    EXPECT_NE(read.error().message.find("did you mean 'server'"), std::string::npos)
        << read.error().message;
}

}  // namespace
}  // namespace penstock::agent
