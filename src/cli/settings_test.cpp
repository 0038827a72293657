// SPDX-License-Identifier: Apache-2.0
#include "cli/settings.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;

class SettingsTest : public testing::Test {
  protected:
    SettingsTest() {
        char pattern[] = "/tmp/penstock-settings-XXXXXX";
        folder_ = mkdtemp(pattern);
        fs::create_directories(folder_ / "user");
        fs::create_directories(folder_ / "project/deep");
        surroundings_ = {
            .variable = [this](const std::string& name) { return variables_[name]; },
            .config_home = folder_ / "user",
            .system_file = folder_ / "system.yaml",
            .working_folder = folder_ / "project/deep",
        };
    }
    ~SettingsTest() override { fs::remove_all(folder_); }
    void write(const std::string& name, const std::string& content, mode_t mode = 0600) {
        std::ofstream(folder_ / name) << content;
        chmod((folder_ / name).c_str(), mode);
    }
    Settings resolved() {
        Result<Settings> settings = resolve_settings(arguments_, surroundings_);
        EXPECT_TRUE(settings) << to_string(settings.error());
        return settings ? *settings : Settings{};
    }
    std::string mistake() {
        const Result<Settings> settings = resolve_settings(arguments_, surroundings_);
        return settings ? "none" : to_string(settings.error());
    }
    void two_contexts() {
        write(
            "user/config.yaml",
            "current_context: a\ncontexts:\n- {name: a, endpoint: 'http://a:1'}\n- {name: b, "
            "endpoint: 'http://b:2', credential: other}\n"
        );
        write("user/credentials", "keys: {a: sk-a, other: sk-b}\n");
    }

    fs::path folder_;
    std::map<std::string, std::string> variables_;
    Arguments arguments_;
    Surroundings surroundings_;
};

TEST_F(SettingsTest, AreEmptyWithoutAnyFile) {
    EXPECT_FALSE(resolved().endpoint.is_set());
    EXPECT_EQ(resolved().output.value, "table");
    EXPECT_EQ(resolved().language.value, "en");
}

TEST_F(SettingsTest, PreferFlagThenEnvironmentThenProjectThenUserThenSystem) {
    write("system.yaml", "output: csv\n");
    EXPECT_EQ(resolved().output.value, "csv");
    write("user/config.yaml", "output: yaml\n");
    EXPECT_EQ(resolved().output.value, "yaml");
    write("project/.penstock.yaml", "output: wide\n");
    EXPECT_EQ(resolved().output.value, "wide");
    variables_["PENSTOCK_OUTPUT"] = "json";
    EXPECT_EQ(resolved().output.value, "json");
    arguments_.flags["output"] = {"name"};
    EXPECT_EQ(resolved().output.value, "name");
    EXPECT_EQ(resolved().output.source, "--output");
}

TEST_F(SettingsTest, TakeEndpointAndKeyOfTheContext) {
    two_contexts();
    EXPECT_EQ(resolved().endpoint.value, "http://a:1");
    EXPECT_EQ(resolved().key.value, "sk-a");
    arguments_.flags["context"] = {"b"};
    EXPECT_EQ(resolved().endpoint.value, "http://b:2");
    EXPECT_EQ(resolved().key.value, "sk-b");
}

TEST_F(SettingsTest, NeverSendAContextsKeyToAnotherEndpoint) {
    two_contexts();
    variables_["PENSTOCK_ENDPOINT"] = "http://elsewhere:3";
    EXPECT_EQ(resolved().endpoint.value, "http://elsewhere:3");
    EXPECT_FALSE(resolved().key.is_set());
    variables_["PENSTOCK_ENDPOINT"] = "http://b:2/";
    EXPECT_EQ(resolved().key.value, "sk-b");
}

TEST_F(SettingsTest, DoNotLetAProjectFolderNameAnEndpoint) {
    write("project/.penstock.yaml", "endpoint: http://evil\n");
    EXPECT_TRUE(mistake().contains("unknown field")) << mistake();
}

TEST_F(SettingsTest, RefuseCredentialsThatOthersCanRead) {
    two_contexts();
    chmod((folder_ / "user/credentials").c_str(), 0640);
    EXPECT_EQ(
        mistake(), "permission_denied: " + (folder_ / "user/credentials").string() +
                       " holds keys and can be read by others: run chmod 600 " +
                       (folder_ / "user/credentials").string()
    );
}

TEST_F(SettingsTest, ReadATokenFile) {
    write("token", "sk-file\n");
    variables_["PENSTOCK_TOKEN_FILE"] = (folder_ / "token").string();
    EXPECT_EQ(resolved().key.value, "sk-file");
    variables_["PENSTOCK_TOKEN"] = "sk-env";
    EXPECT_EQ(resolved().key.value, "sk-env");
}

TEST_F(SettingsTest, NameAnUnknownContext) {
    arguments_.flags["context"] = {"x"};
    EXPECT_EQ(
        mistake(), "invalid_argument: --context: there is no context 'x': see penstock context list"
    );
}

TEST_F(SettingsTest, FollowTheLocaleWhenNothingIsSaid) {
    variables_["LANG"] = "zh_CN.UTF-8";
    EXPECT_EQ(resolved().language.value, "zh");
}

TEST_F(SettingsTest, KeepOtherContextsWhenOneIsWritten) {
    two_contexts();
    ASSERT_TRUE(write_context(
        folder_ / "user", {.name = "local", .endpoint = "http://127.0.0.1:9"}, "sk-new"
    ));

    const Settings settings = resolved();
    EXPECT_EQ(settings.context.value, "local");
    EXPECT_EQ(settings.key.value, "sk-new");
    EXPECT_EQ(settings.contexts.size(), 3U);
    struct stat status{};
    ASSERT_EQ(stat((folder_ / "user/credentials").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(SettingsTest, MakeTheFolderForTheFirstContext) {
    ASSERT_TRUE(write_context(
        folder_ / "fresh/penstock", {.name = "local", .endpoint = "http://127.0.0.1:9"}, "sk-new"
    ));
    EXPECT_TRUE(fs::exists(folder_ / "fresh/penstock/credentials"));
}

}  // namespace
}  // namespace penstock::cli
