// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "json/codec.h"
#include "server/files.h"

namespace penstock::server {
namespace {

// A line of the file: the log line with the attempt it is of.
struct StoredLine {
    AttemptId attempt_id;
    LogLine line;
};
BOOST_DESCRIBE_STRUCT(StoredLine, (), (attempt_id, line))

std::unexpected<Error> disk_error(const std::filesystem::path& path, std::string_view what) {
    return fail_field(
        errno == ENOSPC ? ErrorCode::resource_exhausted : ErrorCode::unavailable, "state_dir",
        "cannot " + std::string(what) + " " + path.string() + ": " + std::strerror(errno)
    );
}

Result<void> append_durably(
    const std::filesystem::path& path, std::uint64_t at, std::string_view text
) {
    const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return disk_error(path, "open");
    // A torn tail of a write that failed is overwritten: the file is only as long as we know.
    bool ok = ::ftruncate(fd, static_cast<off_t>(at)) == 0;
    std::size_t done = 0;
    while (ok && done < text.size()) {
        const ssize_t wrote =
            ::pwrite(fd, text.data() + done, text.size() - done, static_cast<off_t>(at + done));
        if (wrote < 0 && errno == EINTR) continue;
        ok = wrote > 0;
        done += ok ? static_cast<std::size_t>(wrote) : 0;
    }
    ok = ok && ::fdatasync(fd) == 0;
    const int kept = errno;
    ::close(fd);
    errno = kept;
    if (!ok) return disk_error(path, "append to");
    return {};
}

}  // namespace

Result<void> LogStore::open() {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error)
        return fail_field(
            ErrorCode::unavailable, "state_dir",
            "cannot make " + directory_.string() + ": " + error.message()
        );
    return {};
}

std::filesystem::path LogStore::path_of(TaskId task) const {
    return directory_ / (to_string(task) + ".jsonl");
}

Result<LogStore::File*> LogStore::file_of(TaskId task) {
    const auto found = files_.find(task);
    if (found != files_.end()) return &found->second;
    File file;
    std::ifstream input(path_of(task), std::ios::binary);
    std::string text;
    while (std::getline(input, text)) {
        // The last line may be torn by a crash: it was never acknowledged.
        const Result<StoredLine> stored = json::parse<StoredLine>(text);
        if (!stored || input.eof()) break;
        if (file.lines % kIndexEvery == 0) file.offsets.push_back(file.bytes);
        ++file.lines;
        ++file.stored[stored->attempt_id];
        file.bytes += text.size() + 1;
    }
    return &files_.emplace(task, std::move(file)).first->second;
}

io::Task<Result<std::int64_t>> LogStore::append(
    TaskId task, AttemptId attempt, std::int64_t offset, std::vector<LogLine> lines
) {
    File& file = *CO_TRY(file_of(task));
    while (file.writing) co_await idle_.wait();
    const std::int64_t stored = file.stored[attempt];
    if (offset > stored) co_return stored;  // a gap: the agent goes back to what is stored
    std::string text;
    std::vector<std::uint64_t> offsets;
    std::int64_t added = 0;
    for (std::size_t i = static_cast<std::size_t>(stored - offset); i < lines.size(); ++i) {
        if (file.lines + added >= kLogLinesPerTaskMax) break;
        LogLine& line = lines[i];
        line.cursor = file.lines + added + 1;
        if (line.text.size() > kLogLineBytesMax) line.text.resize(kLogLineBytesMax);
        if ((file.lines + added) % kIndexEvery == 0) offsets.push_back(file.bytes + text.size());
        text += json::print(StoredLine{attempt, line}) + "\n";
        ++added;
    }
    // Past the limit lines are counted as stored, so that the agent goes on, and are not kept.
    const std::int64_t repeated = std::min<std::int64_t>(stored - offset, std::ssize(lines));
    const std::int64_t dropped = std::ssize(lines) - repeated - added;
    if (added > 0) {
        file.writing = true;
        const std::filesystem::path path = path_of(task);
        const std::uint64_t at = file.bytes;
        const Result<void> written =
            co_await pool_.run([&] { return append_durably(path, at, text); });
        file.writing = false;
        idle_.notify_all();
        if (!written) co_return std::unexpected(written.error());
    }
    file.lines += added;
    file.bytes += text.size();
    file.offsets.insert(file.offsets.end(), offsets.begin(), offsets.end());
    if (added > 0) appended_.notify_all();
    co_return file.stored[attempt] += added + dropped;
}

Result<std::vector<LogLine>> LogStore::read(
    TaskId task, std::int64_t cursor, std::optional<std::int64_t> item, std::size_t limit
) {
    const File& file = *TRY(file_of(task));
    std::vector<LogLine> lines;
    if (cursor >= file.lines) return lines;
    const std::int64_t first = std::max<std::int64_t>(cursor, 0);
    std::ifstream input(path_of(task), std::ios::binary);
    input.seekg(
        static_cast<std::streamoff>(file.offsets.at(static_cast<std::size_t>(first / kIndexEvery)))
    );
    std::int64_t at = first / kIndexEvery * kIndexEvery;
    std::string text;
    while (lines.size() < limit && at < file.lines && std::getline(input, text)) {
        if (++at <= first) continue;
        LogLine line = TRY(json::parse<StoredLine>(text)).line;
        if (!item || line.item == *item) lines.push_back(std::move(line));
    }
    return lines;
}

std::int64_t LogStore::last_cursor(TaskId task) {
    const Result<File*> file = file_of(task);
    return file ? (*file)->lines : 0;
}

}  // namespace penstock::server
