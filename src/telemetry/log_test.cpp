// SPDX-License-Identifier: Apache-2.0
#include "telemetry/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <sstream>

namespace penstock::telemetry {
namespace {

class LogTest : public testing::Test {
  protected:
    LogTest()
        : file(
              std::filesystem::temp_directory_path() /
              ("penstock_log_" + std::to_string(::getpid()))
          ) {
        std::filesystem::remove(file);
        log = *Logger::open({.level = Level::info, .file = file});
    }
    ~LogTest() override { std::filesystem::remove(file); }

    // All lines, each without its time.
    std::string lines() const {
        std::ifstream in(file);
        std::string out;
        for (std::string line; std::getline(in, line);)
            out += "{" + line.substr(line.find("\"level\"")) + "\n";
        return out;
    }
    std::filesystem::path file;
    Logger log;
};

TEST_F(LogTest, WritesOneObjectPerLineWithItsFields) {
    log.component("gateway").info(
        "started", {{"port", 8080}, {"tls", true}, {"load", 0.5}, {"host", "127.0.0.1"}}
    );

    EXPECT_EQ(
        lines(),
        "{\"level\":\"info\",\"component\":\"gateway\",\"message\":\"started\",\"port\":8080,"
        "\"tls\":true,\"load\":0.5,"
        "\"host\":\"127.0.0.1\"}\n"
    );
}

TEST_F(LogTest, LeavesOutWhatIsBelowTheLevel) {
    log.debug("not this");
    log.set_level(Level::debug);
    log.debug("but this");

    EXPECT_EQ(lines(), "{\"level\":\"debug\",\"message\":\"but this\"}\n");
}

TEST_F(LogTest, TakesOutSecretsByNameAndByLook) {
    log.info(
        "call with Authorization: Bearer abcdef.123 failed",
        {{"api_key", "anything"},
         {"X-Access-Token", "t"},
         {"body", "{\"k\":\"sk-abcdefgh12345678\"}"},
         {"token_count", 3}}
    );

    EXPECT_EQ(
        lines(),
        "{\"level\":\"info\",\"message\":\"call with Authorization: [redacted] "
        "failed\",\"api_key\":\"[redacted]\","
        "\"X-Access-Token\":\"[redacted]\",\"body\":\"{\\\"k\\\":\\\"[redacted]\\\"}\",\"token_"
        "count\":3}\n"
    );
}

TEST_F(LogTest, StaysValidJsonWhateverTheTextIs) {
    log.info("a\n\"b\"\\\x01\xFF\xC3\xA9", {{"nan", std::numeric_limits<double>::quiet_NaN()}});

    EXPECT_EQ(
        lines(),
        "{\"level\":\"info\",\"message\":\"a\\n\\\"b\\\"\\\\\\u0001\\ufffd\xC3\xA9\",\"nan\":"
        "\"nan\"}\n"
    );
}

TEST_F(LogTest, BoundFieldsAndCausesAreOnTheLine) {
    log.with("request_id", "rq_1")
        .error("failed", Error{ErrorCode::not_found, "no task", {}}, {{"n", 1}});

    EXPECT_EQ(
        lines(),
        "{\"level\":\"error\",\"message\":\"failed\",\"request_id\":\"rq_1\",\"code\":\"not_"
        "found\",\"cause\":\"no task\","
        "\"n\":1}\n"
    );
}

TEST(Log, ADefaultLoggerIsSilent) {
    const Logger silent;

    silent.error("nobody hears");

    EXPECT_FALSE(silent.enabled(Level::error));
}

TEST(Log, AFileThatCannotBeWrittenIsAnError) {
    const Result<Logger> log =
        Logger::open({.level = Level::info, .file = "/proc/penstock/no.log"});

    ASSERT_FALSE(log.has_value());
    EXPECT_EQ(log.error().code, ErrorCode::invalid_argument);
}

TEST(Redact, LeavesWordsAlone) {
    EXPECT_EQ(
        redact("task-sk-1 is at the desk-top; bearer of news"),
        "task-sk-1 is at the desk-top; bearer of news"
    );
    EXPECT_EQ(redact("key=sk-proj-0123456789"), "key=[redacted]");
}

TEST(ParseLevel, NamesTheChoices) {
    EXPECT_EQ(parse_level("warning"), Level::warning);
    EXPECT_EQ(
        parse_level("loud").error().message,
        "'loud' is not a log level: debug, info, warning or error"
    );
}

}  // namespace
}  // namespace penstock::telemetry
