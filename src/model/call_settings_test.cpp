// SPDX-License-Identifier: Apache-2.0
#include "model/call_settings.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace penstock {
namespace {

CallSettings settings(std::string_view text) {
    const Result<CallSettings> read = json::parse<CallSettings>(text);
    EXPECT_TRUE(read) << to_string(read.error());
    return read.value_or(CallSettings());
}

std::string told(const std::vector<Error>& errors) {
    std::string all;
    for (const Error& error : errors) all += error.field + ": " + error.message + "\n";
    return all;
}

std::string shown(const std::vector<SettingInForce>& rows) {
    std::string all;
    for (const SettingInForce& row : rows)
        all += row.name + " " + row.value + " " + row.from + (row.fixed ? " fixed\n" : "\n");
    return all;
}

TEST(CallSettings, AKeysOwnGoBeforeItsProjects) {
    const CallSettings project =
        settings(R"({"stream_failure": "continue", "cache": "on", "fixed": ["cache"]})");
    const CallSettings key = settings(R"({"stream_failure": "terminate", "read_timeout": "20s"})");
    EXPECT_EQ(
        shown(settings_in_force(project, key)),
        "stream_failure terminate key\n"
        "read_timeout 20s key\n"
        "cache on project fixed\n"
        "cache_ttl 1h platform\n"
        "unsupported refuse platform\n"
        "undelivered free platform\n"
    );
    EXPECT_EQ(settings_of(project, key).cache, CacheUse::on);
    EXPECT_EQ(settings_of(project, std::nullopt), project);
}

TEST(CallSettings, WithoutAnyThePlatformsHold) {
    EXPECT_EQ(
        shown(settings_in_force(std::nullopt, std::nullopt)),
        "stream_failure terminate platform\n"
        "read_timeout 60s where streams are continued, else none platform\n"
        "cache off platform\n"
        "cache_ttl 1h platform\n"
        "unsupported refuse platform\n"
        "undelivered free platform\n"
    );
}

TEST(CallSettings, EveryMistakeIsToldWithItsField) {
    CallSettings wrong =
        settings(R"({"fixed": ["colour", "cache", "unsupported", "unsupported"]})");
    wrong.unsupported = Unsupported::drop;
    wrong.read_timeout = 10ms;
    wrong.cache_ttl = 48h;
    EXPECT_EQ(
        told(check(wrong, "settings")),
        "settings.read_timeout: is 10ms, which is not from 1s to 1h: for instance 30s\n"
        "settings.cache_ttl: is 2d, which is not from 0s to 24h: for instance 10m\n"
        "settings.fixed[0]: 'colour' is no setting: name one of stream_failure, read_timeout, "
        "cache, cache_ttl, unsupported, undelivered\n"
        "settings.fixed[1]: 'cache' has no value here to be fixed: set it as well, or leave it "
        "out\n"
        "settings.fixed[3]: 'unsupported' is named twice: name it once\n"
    );
}

TEST(CallSettings, AKeyMayNotSetWhatItsProjectFixes) {
    const CallSettings project = settings(R"({"unsupported": "refuse", "fixed": ["unsupported"]})");
    EXPECT_EQ(
        told(check_below(project, settings(R"({"unsupported": "drop", "cache": "on"})"), "settings")
        ),
        "settings.unsupported: is fixed by the project as 'refuse': leave it out, or let the "
        "project fix it no longer\n"
    );
    EXPECT_EQ(told(check_below(project, settings(R"({"cache": "on"})"), "settings")), "");
}

TEST(CallSettings, WordsAreThoseOfTheHeaders) {
    const CallSettings all = settings(
        R"({"stream_failure": "continue", "read_timeout": "90s", "cache": "any", "cache_ttl": "10m",
            "unsupported": "drop"})"
    );
    EXPECT_EQ(setting_text(all, "stream_failure"), "continue");
    EXPECT_EQ(setting_text(all, "cache"), "any");
    EXPECT_EQ(setting_text(all, "unsupported"), "drop");
    EXPECT_EQ(setting_text(all, "cache_ttl"), "10m");
    EXPECT_EQ(setting_text(all, "colour"), std::nullopt);
}

}  // namespace
}  // namespace penstock
