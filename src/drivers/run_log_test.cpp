// SPDX-License-Identifier: Apache-2.0
#include "drivers/run_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penstock::drivers {
namespace {

const Time kNow = parse_rfc3339("2026-11-24T19:52:53.000001Z").value();
const std::string kAt = "2026-11-24T19:52:53.000001Z ";
constexpr std::int64_t kPlenty = 1 << 20;

TEST(LogFormatter, MakesOneEntryALine) {
    LogFormatter log(kPlenty);

    EXPECT_EQ(
        log.add(Stream::out, "one\ntwo\n", kNow), kAt + "stdout one\n" + kAt + "stdout two\n"
    );
    EXPECT_EQ(log.add(Stream::err, "\n", kNow), kAt + "stderr \n");
}

TEST(LogFormatter, JoinsPiecesOfALineAndKeepsTheStreamsApart) {
    LogFormatter log(kPlenty);

    EXPECT_EQ(log.add(Stream::out, "half ", kNow), "");
    EXPECT_EQ(log.add(Stream::err, "other ", kNow), "");
    EXPECT_EQ(log.add(Stream::out, "whole\n", kNow), kAt + "stdout half whole\n");
    EXPECT_EQ(log.finish(kNow), kAt + "stderr other \n");
}

TEST(LogFormatter, WritesAWaitingTextAsPartialAfterAWhile) {
    LogFormatter log(kPlenty);
    log.add(Stream::out, "name? ", kNow - kPartialLineHold);

    EXPECT_EQ(log.flush_partial(kNow - 1ms), "");
    EXPECT_EQ(log.flush_partial(kNow), kAt + "stdout+ name? \n");
    EXPECT_EQ(log.add(Stream::out, "Ada\n", kNow), kAt + "stdout Ada\n");
}

TEST(LogFormatter, SplitsALongLineButNoCharacter) {
    LogFormatter log(kPlenty);
    const std::string long_line =
        "x" + std::string(kLogLineBytesMax - 2, 'y') + "\xE7\xAE\x97" + "z";

    const std::string out = log.add(Stream::out, long_line + "\n", kNow);

    EXPECT_EQ(
        out, kAt + "stdout+ x" + std::string(kLogLineBytesMax - 2, 'y') + "\n" + kAt +
                 "stdout \xE7\xAE\x97z\n"
    );
}

TEST(LogFormatter, ReplacesWhatIsNoText) {
    LogFormatter log(kPlenty);

    EXPECT_EQ(
        log.add(
            Stream::out,
            std::string_view(
                "a\0b\xFF"
                "c\xC0\x80\x1B[1m\td\n",
                14
            ),
            kNow
        ),
        kAt +
            "stdout a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD"
            "c\xEF\xBF\xBD\xEF\xBF\xBD\x1B[1m\td\n"
    );
}

TEST(LogFormatter, KeepsTheLastStateOfAProgressBar) {
    LogFormatter log(kPlenty);

    EXPECT_EQ(log.add(Stream::err, "10%\r50%\r100%\r\n", kNow), kAt + "stderr 100%\n");
}

TEST(LogFormatter, CutsTheLogAtItsLimitAndSaysSo) {
    LogFormatter log(80);

    EXPECT_EQ(
        log.add(Stream::out, "1234567890\n1234567890\n", kNow),
        kAt + "stdout 1234567890\n" + kAt +
            "system log truncated: it has reached its limit of 80 bytes\n"
    );
    EXPECT_EQ(log.add(Stream::out, "more\n", kNow), "");
    EXPECT_EQ(log.finish(kNow), kAt + "system log truncated: 16 bytes were not kept\n");
}

TEST(LogLine, ReadsWhatTheFormatterWrites) {
    const auto line = parse_log_line(kAt + "stderr+ text with  blanks ");

    ASSERT_TRUE(line);
    EXPECT_EQ(
        *line,
        (LogLine{.at = kNow, .stream = "stderr", .text = "text with  blanks ", .partial = true})
    );
    EXPECT_EQ(parse_log_line(kAt + "stdout ")->text, "");
    EXPECT_FALSE(parse_log_line("2026 stdout x"));
    EXPECT_FALSE(parse_log_line(kAt + "stdin x"));
    EXPECT_FALSE(parse_log_line(""));
}

}  // namespace
}  // namespace penstock::drivers
