// SPDX-License-Identifier: Apache-2.0
#include "drivers/run_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace penstock::drivers {
namespace {

constexpr std::size_t kEntryBytesMax = 4 * kLogLineBytesMax;  // replaced bytes grow up to threefold
constexpr std::int64_t kReadBytesMax = std::int64_t{4} << 20;  // of one read_log_file call
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The length of the valid UTF-8 sequence at the start of `text`, 0 when there is none.
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto follows = [&](std::size_t i) {
        return i < text.size() && (byte(i) & 0xC0U) == 0x80U;
    };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (!follows(1) || !follows(2)) return 0;
        if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (!follows(1) || !follows(2) || !follows(3)) return 0;
        if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
        return 4;
    }
    return 0;
}

std::string cleaned(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        const char first = text.front();
        const bool control =
            length == 1 && (first < ' ' || first == 0x7F) && first != '\t' && first != '\x1B';
        if (length == 0 || control)
            out += kReplacement;
        else
            out += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

// Where a line of at most `limit` bytes may be cut without cutting a UTF-8 sequence.
std::size_t cut_at(std::string_view text, std::size_t limit) {
    std::size_t at = std::min(limit, text.size());
    for (int back = 0; back < 3 && at > 1 && at < text.size(); ++back) {
        if ((static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U) return at;
        --at;
    }
    return at;
}

}  // namespace

void LogFormatter::emit(
    std::string& out, Stream stream, std::string_view text, bool partial, Time now
) {
    // A progress bar overwrites itself with carriage returns: what stays on a screen is the last.
    while (text.ends_with('\r')) text.remove_suffix(1);
    if (const std::size_t last = text.rfind('\r'); last != std::string_view::npos)
        text.remove_prefix(last + 1);
    const std::string entry = fmt::format(
        "{} {}{} {}\n", to_rfc3339(now), stream == Stream::out ? "stdout" : "stderr",
        partial ? "+" : "", cleaned(text)
    );
    const auto bytes = static_cast<std::int64_t>(entry.size());
    if (dropped_ > 0 || written_ + bytes > bytes_max_) {
        if (dropped_ == 0)
            out += remark(
                fmt::format("log truncated: it has reached its limit of {} bytes", bytes_max_), now
            );
        dropped_ += static_cast<std::int64_t>(text.size()) + 1;
        return;
    }
    written_ += bytes;
    out += entry;
}

std::string LogFormatter::add(Stream stream, std::string_view bytes, Time now) {
    std::string out;
    Pending& pending = pending_.at(static_cast<std::size_t>(stream));
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        if (pending.text.empty()) pending.since = now;
        pending.text += bytes.substr(0, end);
        while (pending.text.size() > kLogLineBytesMax) {
            const std::size_t cut = cut_at(pending.text, kLogLineBytesMax);
            emit(out, stream, std::string_view(pending.text).substr(0, cut), true, now);
            pending.text.erase(0, cut);
        }
        if (end == std::string_view::npos) break;
        emit(out, stream, pending.text, false, now);
        pending.text.clear();
        bytes.remove_prefix(end + 1);
    }
    return out;
}

std::string LogFormatter::flush_partial(Time now) {
    std::string out;
    for (const Stream stream : {Stream::out, Stream::err}) {
        Pending& pending = pending_.at(static_cast<std::size_t>(stream));
        if (pending.text.empty() || now - pending.since < kPartialLineHold) continue;
        emit(out, stream, pending.text, true, now);
        pending.text.clear();
    }
    return out;
}

std::string LogFormatter::finish(Time now) {
    std::string out;
    for (const Stream stream : {Stream::out, Stream::err}) {
        Pending& pending = pending_.at(static_cast<std::size_t>(stream));
        if (!pending.text.empty()) emit(out, stream, pending.text, false, now);
        pending.text.clear();
    }
    if (dropped_ > 0)
        out += remark(fmt::format("log truncated: {} bytes were not kept", dropped_), now);
    return out;
}

std::string LogFormatter::remark(std::string_view text, Time now) {
    return fmt::format("{} system {}\n", to_rfc3339(now), cleaned(text));
}

std::optional<LogLine> parse_log_line(std::string_view line) {
    const std::size_t first = line.find(' ');
    const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const Result<Time> at = parse_rfc3339(line.substr(0, first));
    std::string_view stream = line.substr(first + 1, second - first - 1);
    const bool partial = stream.ends_with('+');
    if (partial) stream.remove_suffix(1);
    if (!at || (stream != "stdout" && stream != "stderr" && stream != "system"))
        return std::nullopt;
    return LogLine{
        .at = *at,
        .stream = std::string(stream),
        .text = std::string(line.substr(second + 1)),
        .partial = partial
    };
}

Result<LogChunk> read_log_file(
    const std::string& path, std::int64_t offset, std::int64_t bytes_max
) {
    LogChunk chunk{.next_offset = offset};
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) {
        if (errno == ENOENT) return chunk;
        return fail_errno(errno, path);
    }
    // Always room for one whole entry, so that a small `bytes_max` makes progress too.
    const auto room = std::max(std::min(bytes_max, kReadBytesMax), std::int64_t{kEntryBytesMax});
    std::string text(static_cast<std::size_t>(room), '\0');
    const ssize_t count = ::pread(file.get(), text.data(), text.size(), offset);
    if (count < 0) return fail_errno(errno, path);
    text.resize(static_cast<std::size_t>(count));
    std::string_view rest = text;
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        const bool enough = chunk.next_offset - offset >= bytes_max;
        if (enough) break;
        if (auto line = parse_log_line(rest.substr(0, end)))
            chunk.lines.push_back(*std::move(line));
        chunk.next_offset += static_cast<std::int64_t>(end) + 1;
        rest.remove_prefix(end + 1);
    }
    return chunk;
}

}  // namespace penstock::drivers
