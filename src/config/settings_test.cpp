// SPDX-License-Identifier: Apache-2.0
#include "config/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "json/codec.h"

namespace penstock::config {

struct ListenSettings {
    std::string host = "127.0.0.1";
    std::int64_t port = 8080;
    static constexpr bool kJsonDefaults = true;
};
BOOST_DESCRIBE_STRUCT(ListenSettings, (), (host, port))

struct ExampleSettings {
    ListenSettings listen;
    std::vector<ListenSettings> more;
    Duration timeout = 5s;
    static constexpr bool kJsonDefaults = true;
};
BOOST_DESCRIBE_STRUCT(ExampleSettings, (), (listen, more, timeout))

}  // namespace penstock::config

JSON_INSTANTIATE(penstock::config::ExampleSettings);

namespace penstock::config {
namespace {

TEST(Settings, KeepTheirDefaults) {
    const auto settings = parse<ExampleSettings>("listen:\n  port: 9000\n", "server.yaml");

    ASSERT_TRUE(settings.has_value());
    EXPECT_EQ(settings->listen.port, 9000);
    EXPECT_EQ(settings->listen.host, "127.0.0.1");
    EXPECT_EQ(settings->timeout, 5s);
}

TEST(Settings, AllMistakesAreToldWithTheirLines) {
    const auto settings = parse<ExampleSettings>(
        "listen:\n  port: \"9000\"\n  hosst: x\nmore:\n  - host: a\n  - port: b\ntimeout: soon\n",
        "server.yaml"
    );

    ASSERT_FALSE(settings.has_value());
    const std::string text = render(settings.error());
    EXPECT_NE(
        text.find("server.yaml:2: listen.port: expected integer, got string"), std::string::npos
    ) << text;
    EXPECT_NE(
        text.find("server.yaml:3: listen.hosst: unknown field (did you mean 'host'?)"),
        std::string::npos
    ) << text;
    EXPECT_NE(
        text.find("server.yaml:6: more[1].port: expected integer, got string"), std::string::npos
    ) << text;
    EXPECT_NE(text.find("server.yaml:7: timeout: "), std::string::npos) << text;
    EXPECT_EQ(settings.error().size(), 4U) << text;
}

TEST(Settings, AFileThatIsNotThereIsNamed) {
    const auto settings = load<ExampleSettings>("/nonexistent/server.yaml");

    ASSERT_FALSE(settings.has_value());
    EXPECT_EQ(settings.error().front().code, ErrorCode::not_found);
    EXPECT_NE(settings.error().front().message.find("/nonexistent/server.yaml"), std::string::npos);
}

TEST(Settings, AreLoadedFromAFile) {
    const auto file = std::filesystem::temp_directory_path() /
                      ("penstock_settings_" + std::to_string(::getpid()));
    std::ofstream(file) << "timeout: 2m\n";

    const auto settings = load<ExampleSettings>(file);

    ASSERT_TRUE(settings.has_value());
    EXPECT_EQ(settings->timeout, 2min);
    std::filesystem::remove(file);
}

TEST(XdgFolders, FollowTheEnvironmentWhenItIsAbsolute) {
    ::setenv("HOME", "/home/u", 1);
    ::setenv("XDG_CONFIG_HOME", "/elsewhere", 1);
    ::setenv("XDG_STATE_HOME", "relative", 1);
    ::unsetenv("XDG_CACHE_HOME");
    ::unsetenv("XDG_RUNTIME_DIR");

    EXPECT_EQ(config_home(), "/elsewhere/penstock");
    EXPECT_EQ(state_home(), "/home/u/.local/state/penstock");
    EXPECT_EQ(cache_home(), "/home/u/.cache/penstock");
    EXPECT_EQ(runtime_home(), "/home/u/.local/state/penstock/run");
}

}  // namespace
}  // namespace penstock::config
