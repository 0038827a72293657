// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "drivers/driver.h"
#include "drivers/files.h"

// The log of a run: one file, one entry a line, in the order in which the supervisor read them.
//     2026-11-24T19:52:53.000001Z stdout TEXT
//     2026-11-24T19:52:53.000002Z stderr+ TEXT     the line goes on in the next stderr entry
//     2026-11-24T19:52:53.000003Z system TEXT      a remark of the driver
// TEXT is valid UTF-8 without control characters but tab and escape: what a task writes besides is
// replaced by U+FFFD.
namespace penstock::drivers {

constexpr std::size_t kLogLineBytesMax =
    16UL * 1024;                              // a longer line is split into partial entries
constexpr Duration kPartialLineHold = 500ms;  // then text without a line end is written, partial

enum class Stream { out, err };

// Cuts two byte streams into entries. Pure: the caller writes what comes out.
class LogFormatter {
  public:
    explicit LogFormatter(std::int64_t bytes_max) : bytes_max_(bytes_max) {}
    // Entries for what became complete.
    std::string add(Stream stream, std::string_view bytes, Time now);
    // Entries for text that has waited for its line end since before now - kPartialLineHold.
    std::string flush_partial(Time now);
    // The end of both streams: what is left, and how much was cut off.
    std::string finish(Time now);
    // A remark of the driver; it is written beyond the limit too.
    static std::string remark(std::string_view text, Time now);
    bool has_pending() const { return !pending_[0].text.empty() || !pending_[1].text.empty(); }

  private:
    struct Pending {
        std::string text;
        Time since;
    };
    void emit(std::string& out, Stream stream, std::string_view text, bool partial, Time now);
    std::int64_t bytes_max_;
    std::int64_t written_ = 0;
    std::int64_t dropped_ = 0;
    std::array<Pending, 2> pending_;
};

// One entry without its line end; absent when it is none.
std::optional<LogLine> parse_log_line(std::string_view line);

// Whole entries from byte `offset` on. An entry that is not complete yet is left for the next read.
Result<LogChunk> read_log_file(
    const std::string& path, std::int64_t offset, std::int64_t bytes_max
);

}  // namespace penstock::drivers
