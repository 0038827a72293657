// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "drivers/run_log.h"

namespace penstock::drivers {
namespace {

// The text that a reader of the entries sees.
std::string read_back(std::string_view entries) {
    std::string text;
    while (!entries.empty()) {
        const std::size_t end = entries.find('\n');
        const auto line = parse_log_line(entries.substr(0, end));
        RC_ASSERT(line.has_value());
        text += line->text + (line->partial ? "" : "\n");
        entries.remove_prefix(end + 1);
    }
    return text;
}

TEST(LogFormatterProperty, HoweverATextIsCutItReadsBackTheSame) {
    EXPECT_TRUE(rc::check([](const std::vector<std::string>& lines,
                             const std::vector<std::uint8_t>& cuts) {
        std::string text;
        for (const std::string& line : lines) {
            for (const char c : line) text += c >= ' ' && c <= '~' ? c : ' ';
            text += '\n';
        }
        LogFormatter log(std::int64_t{1} << 40);
        std::string entries;
        Time now{};
        std::string_view rest = text;
        for (const std::uint8_t cut : cuts) {
            const std::size_t size = std::min<std::size_t>(cut, rest.size());
            entries += log.add(Stream::out, rest.substr(0, size), now);
            rest.remove_prefix(size);
            now += kPartialLineHold * (cut % 2);
            entries += log.flush_partial(now);
        }
        entries += log.add(Stream::out, rest, now) + log.finish(now);
        RC_ASSERT(read_back(entries) == text);
    }));
}

TEST(LogFormatterProperty, AnyBytesBecomeEntriesThatRead) {
    EXPECT_TRUE(rc::check([](const std::vector<std::string>& pieces) {
        LogFormatter log(std::int64_t{1} << 40);
        std::string entries;
        for (const std::string& piece : pieces) entries += log.add(Stream::err, piece, Time{});
        entries += log.finish(Time{});
        read_back(entries);
    }));
}

TEST(LogFormatterProperty, TheLimitIsKept) {
    EXPECT_TRUE(rc::check([](const std::vector<std::string>& pieces, std::uint16_t limit) {
        LogFormatter log(limit);
        std::size_t written = 0;
        for (const std::string& piece : pieces)
            written += log.add(Stream::out, piece + "\n", Time{}).size();
        written += log.finish(Time{}).size();
        RC_ASSERT(written <= std::size_t{limit} + 2 * 120);  // two remarks
    }));
}

}  // namespace
}  // namespace penstock::drivers
